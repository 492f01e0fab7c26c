"""Followings: events and log lines, as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from . import casemate_pb2 as pb
from .connection import Channel
from .model import ContentType, Event, Level, LogLine

T = TypeVar("T")


class Following(AsyncIterator[T], Generic[T]):
    """What is followed, as an async iterator.

    ``async with`` begins it, and goes on once it is in force; without, the first step of the iteration does. It ends
    with ``aclose()``, which ``async with`` calls too.
    """

    def __init__(self, begin: Callable[[], Awaitable[Channel]], decode: Callable[[pb.Item, bytes], T]) -> None:
        self._begin = begin
        self._decode = decode
        self._channel: Channel | None = None
        self._closed = False
        self._lost_before = 0

    async def __aenter__(self) -> Self:
        await self._begun()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._closed:
            raise StopAsyncIteration
        channel = await self._begun()
        while (told := await channel.item()) is not None:
            item, body = told
            item.dropped += self._lost_before
            self._lost_before = 0
            if item.WhichOneof("of") is not None:
                return self._decode(item, body)
            self._lost_before = item.dropped
        await channel.ending()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Follows no longer."""
        self._closed = True
        if self._channel is not None:
            self._channel.cancel()

    async def _begun(self) -> Channel:
        if self._channel is None:
            channel = await self._begin()
            try:
                # The first item has no content: it says that the following is in force.
                if await channel.item() is None:
                    await channel.ending()
            except BaseException:
                channel.cancel()
                raise
            self._channel = channel
        return self._channel

    def __del__(self) -> None:
        if self._channel is not None and not self._closed:
            self._channel.abandon()


def event(item: pb.Item, body: bytes) -> Event:
    """The event of an item."""
    told = item.event
    return Event(told.topic, ContentType(told.content_type), told.plugin, body, item.dropped)


def log_line(item: pb.Item, body: bytes) -> LogLine:
    """The log line of an item."""
    told = item.log
    level = Level(min(told.level, Level.ERROR))
    return LogLine(told.plugin, told.instance, level, body.decode(errors="replace"), told.dropped_lines, item.dropped)
