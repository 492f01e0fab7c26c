"""The client for asyncio."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from . import casemate_pb2 as pb
from .connection import Channel, Connection, socket_path
from .errors import CasemateError
from .following import Following, event, log_line
from .host import CURRENT_TRACE, Handler, Handlers
from .model import Answer, Change, ContentType, Counters, Event, Level, LogLine, PluginState, encode
from .stream import Parts, Stream

Deadline = float | timedelta | None
"""How long to wait at most: seconds, or a ``timedelta``; ``None``: as long as the policy lets the call run."""

Module = bytes | str | os.PathLike[str] | None
"""A module's bytes, or the path of its file; ``None``: the one that the daemon's configuration names."""

F = TypeVar("F")
H = TypeVar("H", bound=Handler)

_DEADLINE_MS_MAX: Final = 2**32 - 1
_METHOD_BYTES_MAX: Final = 256


class Casemate:
    """A connection to a daemon.

    ``async with Casemate.connect() as casemate`` closes it at the end; ``await Casemate.connect()`` leaves that to you.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._handlers = Handlers(connection)
        self._registrations: list[asyncio.Future[None]] = []

    @classmethod
    def connect(cls, path: str | os.PathLike[str] | None = None) -> Connecting:
        """Connects to the daemon at this socket; without one, to where a daemon of this user listens."""
        return Connecting(path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Gives up what is open and closes the connection."""
        await self._connection.close()
        await asyncio.gather(*self._registrations, return_exceptions=True)

    @property
    def server(self) -> str:
        """What the daemon says it is."""
        return self._connection.welcome.server

    @property
    def rights(self) -> frozenset[str]:
        """What this client may do: ``call``, ``serve``, ``admin``."""
        return frozenset(self._connection.welcome.rights)

    @property
    def allowed_plugins(self) -> tuple[str, ...]:
        """The plugins it may do that with; a final ``*`` stands for any end."""
        return tuple(self._connection.welcome.plugins)

    @property
    def in_flight(self) -> int:
        """Calls, requests and followings that may be open at once."""
        return self._connection.welcome.in_flight

    def plugin(self, name: str) -> Plugin:
        """A plugin by its name. Whether there is one, its first use says."""
        return Plugin(self, name)

    async def plugins(self) -> list[PluginState]:
        """The plugins that this client may use."""
        response, _ = await self._request(pb.Request(list=pb.List()))
        return [PluginState.of(plugin) for plugin in response.plugins]

    async def load(self, name: str, module: Module = None, *, manifest: str = "", config: Any = None) -> Plugin:
        """Loads a plugin.

        ``manifest`` is the text of a ``plugin.toml``: what the plugin asks for. ``config`` is what it is initialised
        with, as a value of JSON.
        """
        text = "" if config is None else encode(config)[1].decode()
        load = pb.Load(plugin=name, manifest=manifest, config=text, configured=module is None)
        await self._request(pb.Request(load=load), await _module(module))
        return self.plugin(name)

    async def stats(self) -> Counters:
        """What was counted since the daemon started."""
        response, _ = await self._request(pb.Request(stats=pb.Stats()))
        return Counters.of(response.counters)

    async def publish(self, topic: str, value: Any = None) -> None:
        """Tells everybody who follows the topic. ``value`` is bytes as they are, or otherwise JSON."""
        content_type, body = encode(value)
        publish = pb.Publish(topic=topic, content_type=content_type.wire_name)
        await self._request(pb.Request(publish=publish), body)

    def subscribe(self, pattern: str) -> Following[Event]:
        """Events whose topic matches: segments between dots, ``*`` for one, a trailing ``**`` for any number."""
        return self._follow(pb.Follow(subscribe=pb.Subscribe(pattern=pattern)), event)

    def logs(self, plugin: str = "", *, level: Level = Level.INFO) -> Following[LogLine]:
        """Log lines of a plugin, or of all, of this level and above."""
        return self._follow(pb.Follow(logs=pb.Logs(plugin=plugin, level_min=level.value)), log_line)

    @overload
    def on(self, pattern: str) -> Callable[[H], H]: ...

    @overload
    def on(self, pattern: str, handler: Handler) -> Awaitable[None]: ...

    def on(self, pattern: str, handler: Handler | None = None) -> Callable[[H], H] | Awaitable[None]:
        """Answers this host method from here on, or with a final ``*`` all that begin with the rest.

        As a decorator, ``@casemate.on("query:*")``; what is done next on this connection comes after it, and raises its
        ``Failure`` if it was refused. ``await casemate.on("query:*", function)`` raises that at once.
        """
        if handler is not None:
            return self._serve(pattern, handler)

        def decorate(function: H) -> H:
            self._registrations.append(asyncio.ensure_future(self._serve(pattern, function)))
            return function

        return decorate

    async def off(self, pattern: str) -> None:
        """Answers that no longer."""
        await self._request(pb.Request(unserve=pb.Unserve(method=pattern)))
        self._handlers.remove(pattern)

    async def reload_policy(self) -> list[Change]:
        """Has the daemon read its configuration anew. One with a mistake changes nothing."""
        response, _ = await self._request(pb.Request(reload_policy=pb.ReloadPolicy()))
        return [Change.of(change) for change in response.changes]

    # --- Streams ----------------------------------------------------------------------------------------------------

    async def _serve(self, pattern: str, handler: Handler) -> None:
        # Before the daemon is asked: the first host call may come with its answer.
        self._handlers.put(pattern, handler)
        try:
            await self._finish(await self._open(pb.Request(serve=pb.Serve(method=pattern)), b""))
        except BaseException:
            self._handlers.remove(pattern)
            raise

    async def _registered(self) -> None:
        while self._registrations:
            registration = self._registrations[0]
            try:
                await asyncio.shield(registration)
            finally:
                if registration.done() and registration in self._registrations:
                    self._registrations.remove(registration)

    async def _open(self, opening: pb.Call | pb.Request, body: bytes) -> tuple[Channel, bytes]:
        first = self._connection.session.payload_bytes_max
        opening.more = opening.more or len(body) > first
        return self._connection.open_stream(opening, body[:first]), body[first:]

    async def _finish(self, opened: tuple[Channel, bytes]) -> tuple[pb.Answer | pb.Response, bytes]:
        """Sends the rest of the input, and collects the answer. Whoever is cancelled here cancels the stream."""
        channel, rest = opened
        sending = asyncio.create_task(channel.send(rest, end=True)) if rest else None
        try:
            parts = []
            while (part := await channel.part()) is not None:
                parts.append(part)
            answer, last = await channel.ending()
            assert isinstance(answer, pb.Answer | pb.Response)
            return answer, b"".join((*parts, last))
        finally:
            channel.cancel()
            if sending is not None:
                sending.cancel()

    async def _request(self, request: pb.Request, body: bytes = b"") -> tuple[pb.Response, bytes]:
        await self._registered()
        response, answer = await self._finish(await self._open(request, body))
        assert isinstance(response, pb.Response)
        return response, answer

    async def _call(self, call: pb.Call, body: bytes) -> Answer:
        await self._registered()
        answer, output = await self._finish(await self._open(call, body))
        assert isinstance(answer, pb.Answer)
        return Answer(ContentType(answer.content_type), output)

    def _follow(self, follow: pb.Follow, decode: Callable[[pb.Item, bytes], F]) -> Following[F]:
        async def begin() -> Channel:
            await self._registered()
            return self._connection.open_stream(follow)

        return Following(begin, decode)

    def _stream(self, call: pb.Call, parts: Parts) -> Stream:
        async def begin() -> Channel:
            await self._registered()
            return self._connection.open_stream(call)

        return Stream(begin, parts)


class Connecting(Awaitable[Casemate]):
    """A connection that is about to be: for ``await`` or ``async with``."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = path
        self._casemate: Casemate | None = None

    def __await__(self) -> Generator[Any, None, Casemate]:
        return self._connect().__await__()

    async def __aenter__(self) -> Casemate:
        self._casemate = await self._connect()
        return self._casemate

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._casemate is not None:
            await self._casemate.close()

    async def _connect(self) -> Casemate:
        return Casemate(await Connection.open(socket_path(self._path), f"casemate-python {_version()}"))


class Plugin:
    """A plugin of a daemon, by its name."""

    def __init__(self, casemate: Casemate, name: str) -> None:
        self._casemate = casemate
        self.name = name

    def __repr__(self) -> str:
        return f"Plugin({self.name!r})"

    async def call(
        self,
        method: str,
        value: Any = None,
        *,
        deadline: Deadline = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
    ) -> Any:
        """Calls a method with a value of JSON, and gives the value that it answers; bytes, if it answers those.

        A task that is cancelled meanwhile cancels the call: it is killed if it runs, and never starts if it waits.
        """
        content_type, body = encode(value)
        if content_type is not ContentType.JSON:
            raise TypeError("Plugin.call takes a value of JSON; for bytes there is Plugin.call_raw")
        opening = self._opening(method, content_type, deadline, traceparent, tracestate)
        return (await self._casemate._call(opening, body)).value

    async def call_raw(
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
        opening = self._opening(method, content_type, deadline, traceparent, tracestate)
        return await self._casemate._call(opening, body)

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

        Each end reads ahead of the other by no more than the protocol's window.
        """
        opening = self._opening(method, content_type, deadline, traceparent, tracestate)
        opening.stream = True
        opening.more = True
        return self._casemate._stream(opening, parts)

    async def info(self) -> PluginState:
        """The plugin, with its certificate and the compiler's report."""
        response, report = await self._casemate._request(pb.Request(info=pb.Info(plugin=self.name)))
        return _one(response, report)

    async def close(self) -> None:
        """Ends the plugin, and has the daemon forget it."""
        await self._casemate._request(pb.Request(unload=pb.Unload(plugin=self.name)))

    async def enable(self) -> PluginState:
        """Starts the plugin, if it is disabled or stopped."""
        return await self._change(pb.Request(enable=pb.Enable(plugin=self.name)))

    async def disable(self) -> PluginState:
        """Takes no more calls, lets those that run finish, and ends the plugin's processes."""
        return await self._change(pb.Request(disable=pb.Disable(plugin=self.name)))

    async def drain(self) -> PluginState:
        """As ``disable``, and lets the calls that wait finish too."""
        return await self._change(pb.Request(drain=pb.Drain(plugin=self.name)))

    async def reset(self) -> PluginState:
        """Forgets the plugin's crashes, and starts it if they disabled it."""
        return await self._change(pb.Request(reset=pb.Reset(plugin=self.name)))

    async def reload(self, module: Module = None) -> PluginState:
        """Loads a new version beside the one that runs, and lets it take over."""
        reload = pb.Reload(plugin=self.name, configured=module is None)
        return await self._change(pb.Request(reload=reload), await _module(module))

    async def config(self) -> Any:
        """The plugin's configuration: a value of JSON, or ``None`` if it has none."""
        _, body = await self._casemate._request(pb.Request(config_get=pb.ConfigGet(plugin=self.name)))
        return Answer(ContentType.JSON, body).value if body else None

    async def set_config(self, config: Any) -> None:
        """Has the daemon check a configuration against the plugin's schema, keep it, and hand it to the plugin."""
        request = pb.Request(config_set=pb.ConfigSet(plugin=self.name))
        content_type, body = encode(config)
        if content_type is not ContentType.JSON:
            raise TypeError("a configuration is a value of JSON, not bytes")
        await self._casemate._request(request, body)

    async def _change(self, request: pb.Request, body: bytes = b"") -> PluginState:
        response, _ = await self._casemate._request(request, body)
        return _one(response)

    def _opening(
        self,
        method: str,
        content_type: ContentType,
        deadline: Deadline,
        traceparent: str | None,
        tracestate: str | None,
    ) -> pb.Call:
        length = len(method.encode())
        if length > _METHOD_BYTES_MAX:
            raise ValueError(f"the name of a method has at most {_METHOD_BYTES_MAX} bytes, and this one has {length}")
        current = CURRENT_TRACE.get()
        if traceparent is None:
            traceparent, tracestate = current.traceparent, tracestate or current.tracestate
        return pb.Call(
            plugin=self.name,
            method=method,
            content_type=content_type.wire_name,
            deadline_ms=_milliseconds(deadline),
            traceparent=traceparent,
            tracestate=tracestate or "",
        )


def _one(response: pb.Response, report: bytes = b"") -> PluginState:
    if len(response.plugins) != 1:
        raise CasemateError(f"the daemon answered with {len(response.plugins)} plugins in place of one")
    return PluginState.of(response.plugins[0], report)


def _milliseconds(deadline: Deadline) -> int:
    if deadline is None:
        return 0
    seconds = deadline.total_seconds() if isinstance(deadline, timedelta) else deadline
    if not 0 < seconds <= _DEADLINE_MS_MAX / 1000:
        raise ValueError(f"a deadline of {seconds} s: it is above 0 and at most {_DEADLINE_MS_MAX / 1000} s")
    return math.ceil(seconds * 1000)


async def _module(module: Module) -> bytes:
    if module is None:
        return b""
    if isinstance(module, (bytes, bytearray, memoryview)):
        return bytes(module)
    return await asyncio.to_thread(Path(module).read_bytes)


def _version() -> str:
    try:
        return version("casemate")
    except PackageNotFoundError:
        return "(from its folder)"
