"""A call whose bodies are read and written while they are under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Self

from . import casemate_pb2 as pb
from .connection import Channel
from .model import ContentType
from .threads import on_thread

Parts = AsyncIterable[bytes] | Iterable[bytes] | bytes


class Stream(AsyncIterator[bytes]):
    """The parts of a plugin's answer, as they come.

    ``async with`` makes the call, and so does the first step of the iteration. Leaving it early (``aclose()``, which
    ``async with`` calls too) cancels the call.
    """

    def __init__(self, begin: Callable[[], Awaitable[Channel]], parts: Parts) -> None:
        self._begin = begin
        self._input = parts
        self._channel: Channel | None = None
        self._pump: asyncio.Task[None] | None = None
        self._over = False
        self._content_type: ContentType | None = None

    @property
    def content_type(self) -> ContentType:
        """What the answer is. The plugin says so at its end, so it is known when the iteration is over."""
        if self._content_type is None:
            raise RuntimeError("the content type of a stream is known once it has ended")
        return self._content_type

    async def __aenter__(self) -> Self:
        await self._begun()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._over:
            raise StopAsyncIteration
        channel = await self._begun()
        try:
            part = await channel.part()
            if part is not None:
                return part
            answer, rest = await channel.ending()
        except BaseException:
            await self.aclose()
            raise
        assert isinstance(answer, pb.Answer)
        self._content_type = ContentType(answer.content_type)
        await self.aclose()
        if rest:
            return rest
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the stream; a call that still runs is cancelled."""
        self._over = True
        if self._channel is not None:
            self._channel.cancel()
        if self._pump is not None and not self._pump.done():
            self._pump.cancel()
            await asyncio.wait([self._pump])

    async def _begun(self) -> Channel:
        if self._channel is None:
            self._channel = await self._begin()
            self._pump = asyncio.create_task(_send(self._channel, self._input), name="casemate stream input")
        return self._channel

    def __del__(self) -> None:
        if self._channel is not None and not self._over:
            self._channel.abandon()


async def _send(channel: Channel, parts: Parts) -> None:
    try:
        async for part in _each(parts):
            await channel.send(part)
            if channel.is_over:
                return
        await channel.send(b"", end=True)
    except Exception as error:
        # Half an input is not what the plugin was to read: the call is given up, and the reader learns why.
        channel.cancel()
        channel.give_up(error)


async def _each(parts: Parts) -> AsyncIterator[bytes]:
    if isinstance(parts, (bytes, bytearray, memoryview)):
        yield bytes(parts)
    elif isinstance(parts, AsyncIterable):
        async for part in parts:
            yield part
    else:
        # Its next part may take its time, and everything else on this connection has not got it.
        steps = iter(parts)
        while (following := await on_thread("casemate stream input", lambda: next(steps, None))) is not None:
            yield following
