"""The client without asyncio: the same methods, which wait.

A thread of each connection's own runs the asyncio client. An interrupt (Ctrl-C) while a method waits cancels what it
waits for. Methods may be called from several threads at once.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast, overload

from . import client, following, stream
from .client import Deadline, Module
from .errors import ConnectionLost
from .host import Handler
from .model import Answer, Change, ContentType, Counters, Event, Level, LogLine, PluginState
from .stream import Parts

__all__ = ["Casemate", "Following", "Plugin", "Stream"]

T = TypeVar("T")
H = TypeVar("H", bound=Handler)


class _Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="casemate", daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        return self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs this to its end on the loop."""
        if self._loop.is_closed():
            work.close()
            raise ConnectionLost("this connection was closed here: connect anew")
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("an async host method cannot wait for a casemate.sync method: make it a plain function")
        context = copy_context()

        async def in_context() -> T:
            return await asyncio.create_task(work, context=context)

        future = asyncio.run_coroutine_threadsafe(in_context(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        if self._loop.is_closed():
            return
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Casemate:
    """A connection to a daemon. ``with Casemate.connect() as casemate`` closes it at the end."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._loop = _Loop()
        try:
            self._casemate = self._loop.run(_connect(path))
        except BaseException:
            self._loop.stop()
            raise

    @classmethod
    def connect(cls, path: str | os.PathLike[str] | None = None) -> Casemate:
        """Connects to the daemon at this socket; without one, to where a daemon of this user listens."""
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives up what is open and closes the connection."""
        if self._loop.is_closed:
            return
        try:
            self._loop.run(self._casemate.close())
        finally:
            self._loop.stop()

    @property
    def server(self) -> str:
        """What the daemon says it is."""
        return self._casemate.server

    @property
    def rights(self) -> frozenset[str]:
        """What this client may do: ``call``, ``serve``, ``admin``."""
        return self._casemate.rights

    @property
    def allowed_plugins(self) -> tuple[str, ...]:
        """The plugins it may do that with; a final ``*`` stands for any end."""
        return self._casemate.allowed_plugins

    @property
    def in_flight(self) -> int:
        """Calls, requests and followings that may be open at once."""
        return self._casemate.in_flight

    def plugin(self, name: str) -> Plugin:
        """A plugin by its name. Whether there is one, its first use says."""
        return Plugin(self._loop, self._casemate.plugin(name))

    def plugins(self) -> list[PluginState]:
        """The plugins that this client may use."""
        return self._loop.run(self._casemate.plugins())

    def load(self, name: str, module: Module = None, *, manifest: str = "", config: Any = None) -> Plugin:
        """Loads a plugin; as ``casemate.Casemate.load``."""
        self._loop.run(self._casemate.load(name, module, manifest=manifest, config=config))
        return self.plugin(name)

    def stats(self) -> Counters:
        """What was counted since the daemon started."""
        return self._loop.run(self._casemate.stats())

    def publish(self, topic: str, value: Any = None) -> None:
        """Tells everybody who follows the topic. ``value`` is bytes as they are, or otherwise JSON."""
        self._loop.run(self._casemate.publish(topic, value))

    def subscribe(self, pattern: str) -> Following[Event]:
        """Events whose topic matches: segments between dots, ``*`` for one, a trailing ``**`` for any number."""
        return Following(self._loop, self._casemate.subscribe(pattern))

    def logs(self, plugin: str = "", *, level: Level = Level.INFO) -> Following[LogLine]:
        """Log lines of a plugin, or of all, of this level and above."""
        return Following(self._loop, self._casemate.logs(plugin, level=level))

    @overload
    def on(self, pattern: str) -> Callable[[H], H]: ...

    @overload
    def on(self, pattern: str, handler: Handler) -> None: ...

    def on(self, pattern: str, handler: Handler | None = None) -> Callable[[H], H] | None:
        """Answers this host method from here on, or with a final ``*`` all that begin with the rest.

        As a decorator or with the function; both wait until it is in force. A plain function runs on a thread.
        """
        if handler is not None:
            self._loop.run(self._casemate._serve(pattern, handler))
            return None

        def decorate(function: H) -> H:
            self._loop.run(self._casemate._serve(pattern, function))
            return function

        return decorate

    def off(self, pattern: str) -> None:
        """Answers that no longer."""
        self._loop.run(self._casemate.off(pattern))

    def reload_policy(self) -> list[Change]:
        """Has the daemon read its configuration anew. One with a mistake changes nothing."""
        return self._loop.run(self._casemate.reload_policy())


class Plugin:
    """A plugin of a daemon, by its name."""

    def __init__(self, loop: _Loop, plugin: client.Plugin) -> None:
        self._loop = loop
        self._plugin = plugin
        self.name = plugin.name

    def __repr__(self) -> str:
        return repr(self._plugin)

    def call(
        self,
        method: str,
        value: Any = None,
        *,
        deadline: Deadline = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
    ) -> Any:
        """Calls a method with a value of JSON, and gives the value that it answers; bytes, if it answers those."""
        return self._loop.run(
            self._plugin.call(method, value, deadline=deadline, traceparent=traceparent, tracestate=tracestate)
        )

    def call_raw(
        self,
        method: str,
        body: bytes = b"",
        *,
        content_type: ContentType = ContentType.RAW,
        deadline: Deadline = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
    ) -> Answer:
        """As ``call``, with bytes in and bytes out."""
        return self._loop.run(
            self._plugin.call_raw(
                method,
                body,
                content_type=content_type,
                deadline=deadline,
                traceparent=traceparent,
                tracestate=tracestate,
            )
        )

    def stream(
        self,
        method: str,
        parts: Parts = b"",
        *,
        content_type: ContentType = ContentType.RAW,
        deadline: Deadline = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
    ) -> Stream:
        """Calls a method that reads and writes while both bodies are under way: parts in, parts out.

        The parts are taken on another thread.
        """
        return Stream(
            self._loop,
            self._plugin.stream(
                method,
                parts,
                content_type=content_type,
                deadline=deadline,
                traceparent=traceparent,
                tracestate=tracestate,
            ),
        )

    def info(self) -> PluginState:
        """The plugin, with its certificate and the compiler's report."""
        return self._loop.run(self._plugin.info())

    def close(self) -> None:
        """Ends the plugin, and has the daemon forget it."""
        self._loop.run(self._plugin.close())

    def enable(self) -> PluginState:
        """Starts the plugin, if it is disabled or stopped."""
        return self._loop.run(self._plugin.enable())

    def disable(self) -> PluginState:
        """Takes no more calls, lets those that run finish, and ends the plugin's processes."""
        return self._loop.run(self._plugin.disable())

    def drain(self) -> PluginState:
        """As ``disable``, and lets the calls that wait finish too."""
        return self._loop.run(self._plugin.drain())

    def reset(self) -> PluginState:
        """Forgets the plugin's crashes, and starts it if they disabled it."""
        return self._loop.run(self._plugin.reset())

    def reload(self, module: Module = None) -> PluginState:
        """Loads a new version beside the one that runs, and lets it take over."""
        return self._loop.run(self._plugin.reload(module))

    def config(self) -> Any:
        """The plugin's configuration: a value of JSON, or ``None`` if it has none."""
        return self._loop.run(self._plugin.config())

    def set_config(self, config: Any) -> None:
        """Has the daemon check a configuration against the plugin's schema, keep it, and hand it to the plugin."""
        self._loop.run(self._plugin.set_config(config))


class Following(Iterator[T], Generic[T]):
    """What is followed, as an iterator. ``with`` begins it, and goes on once it is in force."""

    def __init__(self, loop: _Loop, inner: following.Following[T]) -> None:
        self._loop = loop
        self._inner = inner

    def __enter__(self) -> Self:
        self._loop.run(self._inner.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return _step(self._loop, self._inner.__anext__)

    def close(self) -> None:
        """Follows no longer."""
        self._loop.run(self._inner.aclose())


class Stream(Iterator[bytes]):
    """The parts of a plugin's answer, as they come. Leaving ``with`` before its end cancels the call."""

    def __init__(self, loop: _Loop, inner: stream.Stream) -> None:
        self._loop = loop
        self._inner = inner

    @property
    def content_type(self) -> ContentType:
        """What the answer is, known when the iteration is over."""
        return self._inner.content_type

    def __enter__(self) -> Self:
        self._loop.run(self._inner.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return _step(self._loop, self._inner.__anext__)

    def close(self) -> None:
        """Ends the stream; a call that still runs is cancelled."""
        self._loop.run(self._inner.aclose())


async def _connect(path: str | os.PathLike[str] | None) -> client.Casemate:
    return await client.Casemate.connect(path)


def _step(loop: _Loop, step: Callable[[], Awaitable[T]]) -> T:
    async def stepped() -> tuple[T, bool] | tuple[None, bool]:
        # A StopIteration cannot pass through a task.
        try:
            return await step(), True
        except StopAsyncIteration:
            return None, False

    value, found = loop.run(stepped())
    if not found:
        raise StopIteration
    return cast(T, value)
