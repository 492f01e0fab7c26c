"""Host methods: what plugins may call, answered by functions of this program."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final

from . import casemate_pb2 as pb
from .connection import Channel, Connection
from .errors import CasemateError, HostError
from .model import ContentType, decode, encode
from .threads import on_thread

_LOG: Final = logging.getLogger("casemate")


@dataclass(frozen=True)
class TraceContext:
    """A W3C trace context, passed on as it is."""

    traceparent: str = ""
    tracestate: str = ""


CURRENT_TRACE: Final[contextvars.ContextVar[TraceContext]] = contextvars.ContextVar(
    "casemate_trace", default=TraceContext()
)
"""The trace context of the host call that is being answered: calls made meanwhile pass it on, unless told another."""


@dataclass(frozen=True)
class HostCall:
    """A plugin's call of a host method."""

    plugin: str
    instance: int
    method: str
    content_type: ContentType
    body: bytes
    deadline_ms: int
    """How long the plugin's own call can still run."""
    trace: TraceContext
    _cancelled: Event = field(repr=False, compare=False)

    @property
    def input(self) -> Any:
        """The decoded body."""
        return decode(self.content_type, self.body)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more. An ``async`` function is cancelled by itself."""
        return self._cancelled.is_set()


Handler = Callable[[HostCall], Any] | Callable[[HostCall], Awaitable[Any]]
"""Gets the call; its answer is bytes as they are, or otherwise JSON. It raises ``HostError`` to answer with an error.

A plain function runs on a thread of its own.
"""


class Handlers:
    """The host methods of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._by_pattern: dict[str, Handler] = {}
        connection.on_host_call = self._start

    def put(self, pattern: str, handler: Handler) -> None:
        self._by_pattern[pattern] = handler

    def remove(self, pattern: str) -> None:
        self._by_pattern.pop(pattern, None)

    def for_method(self, method: str) -> Handler | None:
        """The handler with the longest pattern that matches; an exact one counts as longer than any."""
        matching = [pattern for pattern in self._by_pattern if matches(pattern, method)]
        best = max(matching, key=lambda pattern: (pattern == method, len(pattern)), default=None)
        return self._by_pattern[best] if best is not None else None

    def _start(self, channel: Channel, call: pb.HostCall, body: bytes) -> asyncio.Task[None]:
        return asyncio.create_task(self._answer(channel, call, body), name=f"casemate host call {call.method}")

    async def _answer(self, channel: Channel, message: pb.HostCall, body: bytes) -> None:
        try:
            if message.more:
                body = await _whole(channel, body)
            call = HostCall(
                plugin=message.plugin,
                instance=message.instance,
                method=message.method,
                content_type=ContentType(message.content_type),
                body=body,
                deadline_ms=message.deadline_ms,
                trace=TraceContext(message.traceparent, message.tracestate),
                _cancelled=channel.cancelled,
            )
            content_type, answer = await self._ask(call)
            last = self._connection.session.payload_bytes_max
            await channel.send(answer[:-last])
            result = pb.HostResult(content_type=content_type.wire_name)
            self._connection.answer(channel.id, result, answer[-last:])
        except HostError as error:
            told = pb.HostError(code=error.code, message=error.message, retryable=error.retryable)
            self._connection.answer(channel.id, pb.HostResult(error=told), b"")
        except CasemateError:
            # The connection is over, and everybody who waits on it is told so.
            return

    async def _ask(self, call: HostCall) -> tuple[ContentType, bytes]:
        handler = self.for_method(call.method)
        if handler is None:
            raise HostError("not_found", f"nothing serves {call.method} here")
        CURRENT_TRACE.set(call.trace)
        try:
            if inspect.iscoroutinefunction(handler):
                value = await handler(call)
            else:
                value = await on_thread(f"casemate {call.method}", lambda: handler(call))
                if inspect.isawaitable(value):
                    value = await value
            return encode(value)
        except HostError:
            raise
        except Exception as error:
            # The plugin is not trusted: what went wrong in this program is none of its business.
            _LOG.exception("the host method %s failed, called by the plugin %s", call.method, call.plugin)
            raise HostError("internal", "the host's own method failed") from error


async def _whole(channel: Channel, beginning: bytes) -> bytes:
    parts = [beginning]
    while (part := await channel.part()) is not None:
        parts.append(part)
    return b"".join(parts)


def matches(pattern: str, method: str) -> bool:
    """Whether a pattern means a method: the same, or with a final ``*`` all that begin with the rest."""
    return method.startswith(pattern[:-1]) if pattern.endswith("*") else method == pattern
