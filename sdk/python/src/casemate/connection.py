"""A session on an asyncio socket: who waits for what.

One task reads. Whatever a frame is for gets it by its stream's ``Channel``; nothing the reader does ever waits for a
consumer, since the credit of each stream bounds what can be there.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from . import casemate_pb2 as pb
from .errors import CasemateError, ConnectionLost, Failure, NotRunning, ProtocolViolation, Refused
from .frames import WINDOW_BYTES
from .model import Detail, Fault, HostCallNote, Retry
from .session import (
    Body,
    Credited,
    DaemonLeaves,
    Ended,
    Ending,
    HostCallCancelled,
    HostCalled,
    Opening,
    Session,
    Told,
    Welcomed,
)

READ_BYTES: Final = 262_144

CREDIT_BYTES: Final = WINDOW_BYTES // 4
"""Credit is given for this much at once. The sender goes on meanwhile, with the rest of its window."""

ITEMS_MAX: Final = 1_000
"""Items of one following that wait here to be taken; of more, the oldest are lost, as in the daemon."""


def socket_path(path: str | os.PathLike[str] | None) -> Path:
    """The daemon's socket: the one that is named, here or by ``CASEMATE_SOCKET``, or where it is without a name."""
    if path is None:
        path = os.environ.get("CASEMATE_SOCKET") or None
    if path is not None:
        return Path(path)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if not runtime and os.geteuid() == 0:
        return Path("/run/casemate.sock")
    if not runtime:
        raise NotRunning(
            "XDG_RUNTIME_DIR is not set, so there is no usual place for the daemon's socket: "
            "name the socket, as in Casemate.connect('/run/casemate.sock')"
        )
    return Path(runtime) / "casemate.sock"


class Channel:
    """One open stream: its parts as they come, its credit, and how it ended."""

    def __init__(self, connection: Connection, identity: int) -> None:
        self.id = identity
        self.cancelled = threading.Event()
        """Of a host call: nobody waits for its answer any more."""
        self._connection = connection
        self._parts: deque[bytes] = deque()
        self._items: deque[tuple[pb.Item, bytes]] = deque()
        self._lost_items = 0
        self._uncredited = 0
        self._input_ended = False
        self._news = asyncio.Event()
        self._may_send = asyncio.Event()
        self._ended: Ended | None = None
        self._lost: BaseException | None = None

    # --- For the reader of the socket -------------------------------------------------------------------------------

    def take(self, event: Body | Credited | Told | Ended) -> None:
        match event:
            case Body():
                self._parts.append(event.part)
                self._input_ended = event.end
            case Credited():
                self._may_send.set()
            case Told():
                self._keep(event.item, event.body)
            case Ended():
                self._ended = event
                self._may_send.set()
        self._news.set()

    def give_up(self, error: BaseException) -> None:
        """Nothing more comes: the connection is over, or the stream was given up here."""
        self._lost = error
        self._news.set()
        self._may_send.set()

    def _keep(self, item: pb.Item, body: bytes) -> None:
        if len(self._items) == ITEMS_MAX:
            oldest, _ = self._items.popleft()
            self._lost_items += 1 + oldest.dropped
        self._items.append((item, body))

    def wake_sender(self) -> None:
        """Whoever waits for credit is to see what became of the stream."""
        self._may_send.set()

    # --- For the stream's owner -------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether the stream is: by either end, or because the connection is."""
        return self._lost is not None or not self._connection.session.is_open(self.id)

    async def part(self) -> bytes | None:
        """The next part of the daemon's body that came in Data frames; ``None`` after the last."""
        while not self._parts:
            if self._ended is not None or self._input_ended:
                return None
            await self._wait()
        part = self._parts.popleft()
        self._uncredited += len(part)
        if self._uncredited >= CREDIT_BYTES:
            self._connection.session.credit(self.id, self._uncredited)
            self._connection.flush()
            self._uncredited = 0
        return part

    async def item(self) -> tuple[pb.Item, bytes] | None:
        """The next item of a following; ``None`` after the last."""
        while not self._items:
            if self._ended is not None:
                return None
            await self._wait()
        item, body = self._items.popleft()
        item.dropped += self._lost_items
        self._lost_items = 0
        return item, body

    async def ending(self) -> tuple[Ending, bytes]:
        """How a stream of ours ended. Raises its ``Failure``."""
        while self._ended is None:
            await self._wait()
        if isinstance(self._ended.ending, pb.Failure):
            raise failure(self._ended.ending, self._ended.body)
        return self._ended.ending, self._ended.body

    async def send(self, body: bytes, end: bool = False) -> None:
        """Sends more of our body, as credit allows. Once the stream is over there is nobody to send to."""
        session = self._connection.session
        view = memoryview(body)
        while not self.is_over and (view or end):
            room = session.sendable(self.id)
            if view and not room:
                self._may_send.clear()
                await self._may_send.wait()
                continue
            part, view = view[:room], view[room:]
            session.data(self.id, bytes(part), end and not view)
            await self._connection.drain()
            if not view:
                return

    def cancel(self) -> None:
        """Gives a stream of ours up; nothing, if it is over."""
        self._connection.cancel(self.id)

    def abandon(self) -> None:
        """As ``cancel``, of an owner that is being collected: on whatever thread that happens."""
        self._connection.cancel_soon(self.id)

    async def _wait(self) -> None:
        if self._lost is not None:
            raise self._lost
        self._news.clear()
        await self._news.wait()


class Connection:
    """A greeted connection."""

    def __init__(self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: str) -> None:
        self.path = path
        self.session = Session(client)
        self.welcome = pb.Welcome()
        self.on_host_call: Callable[[Channel, pb.HostCall, bytes], asyncio.Task[None]] | None = None
        self._reader = reader
        self._writer = writer
        self._channels: dict[int, Channel] = {}
        self._host_calls: dict[int, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._over: CasemateError | None = None
        self._reading = asyncio.create_task(self._read(), name="casemate reader")

    @classmethod
    async def open(cls, path: Path, client: str) -> Connection:
        """Connects and greets."""
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=READ_BYTES)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(
                f"no Casemate daemon listens at {path} ({error.strerror}): start one with `casemate serve`, or name "
                "the socket of one that runs"
            ) from error
        except PermissionError as error:
            raise NotRunning(
                f"this user may not connect to {path} ({error.strerror}): the daemon's operator allows a user with an "
                "entry in `daemon.clients`"
            ) from error
        except OSError as error:
            raise NotRunning(f"cannot connect to {path}: {error.strerror or error}") from error
        connection = cls(path, reader, writer, client)
        try:
            connection.flush()
            await asyncio.shield(connection._greeted)
        except BaseException:
            await connection.close()
            raise
        return connection

    @property
    def over(self) -> CasemateError | None:
        """Why the connection is over, if it is."""
        return self._over

    def open_stream(self, opening: Opening, body: bytes = b"") -> Channel:
        """Opens a stream with the beginning of its body."""
        if self._over is not None:
            raise self._over
        channel = Channel(self, self.session.open(opening, body))
        self._channels[channel.id] = channel
        self.flush()
        return channel

    def cancel(self, identity: int) -> None:
        """Gives a stream of ours up; nothing, if it is over."""
        channel = self._channels.pop(identity, None)
        self.session.cancel(identity)
        self.flush()
        if channel is not None:
            channel.wake_sender()

    def cancel_soon(self, identity: int) -> None:
        """As ``cancel``, from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.cancel, identity)

    def answer(self, identity: int, result: pb.HostResult, body: bytes) -> None:
        """Ends a host call."""
        self._channels.pop(identity, None)
        self.session.end_host_call(identity, result, body)
        self.flush()

    def flush(self) -> None:
        """Hands the session's output to the socket; nothing waits here."""
        output = self.session.output()
        if output and self._over is None and not self._writer.is_closing():
            self._writer.write(output)

    async def drain(self) -> None:
        """As ``flush``, and waits until the socket has room."""
        self.flush()
        if self._over is None:
            try:
                await self._writer.drain()
            except ConnectionError:
                # The reader finds out by itself, and knows more: the daemon may have said why.
                await asyncio.sleep(0)

    async def close(self) -> None:
        """Gives up what is open, takes leave and closes."""
        for identity in list(self._channels):
            self.session.cancel(identity)
        self.session.bye()
        self.flush()
        self._end(ConnectionLost("this connection was closed here"))
        self._reading.cancel()
        # A host method may be what closes.
        host_calls = [task for task in self._host_calls.values() if task is not asyncio.current_task()]
        await asyncio.gather(self._reading, *host_calls, return_exceptions=True)
        try:
            await self._writer.wait_closed()
        except OSError:
            # What could not be written any more was a farewell.
            return

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(READ_BYTES):
                for event in self.session.receive(data):
                    self._dispatch(event)
            self._end(self._hung_up())
        except (Refused, ProtocolViolation) as error:
            self._end(error)
        except OSError as error:
            self._end(ConnectionLost(f"the connection to {self.path} broke: {error.strerror or error}"))

    def _hung_up(self) -> CasemateError:
        return ConnectionLost(
            f"the daemon at {self.path} closed the connection: it stopped, or was stopped; what was open may have run"
        )

    def _dispatch(self, event: object) -> None:
        match event:
            case Welcomed():
                self.welcome = event.welcome
                self._greeted.set_result(None)
            case HostCalled():
                self._host_called(event)
            case HostCallCancelled():
                self._cancel_host_call(event.id)
            case Body() | Credited() | Told():
                if channel := self._channels.get(event.id):
                    channel.take(event)
            case Ended():
                if channel := self._channels.pop(event.id, None):
                    channel.take(event)
            case DaemonLeaves():
                # What is open goes on, and what is opened now the daemon answers with `closed`.
                pass

    def _host_called(self, event: HostCalled) -> None:
        channel = Channel(self, event.id)
        if self.on_host_call is None:
            error = pb.HostError(code="not_found", message="this client serves no host methods")
            self.answer(event.id, pb.HostResult(error=error), b"")
            return
        self._channels[event.id] = channel
        task = self.on_host_call(channel, event.call, event.body)
        self._host_calls[event.id] = task
        task.add_done_callback(lambda _: self._host_calls.pop(event.id, None))

    def _cancel_host_call(self, identity: int) -> None:
        if channel := self._channels.pop(identity, None):
            # First, so that whoever is cancelled can see it.
            channel.cancelled.set()
        if task := self._host_calls.get(identity):
            task.cancel()

    def _end(self, error: CasemateError) -> None:
        if self._over is not None:
            return
        self._over = error
        if not self._greeted.done():
            self._greeted.set_exception(error)
            # Whoever connects may have given up meanwhile.
            self._greeted.exception()
        for channel in self._channels.values():
            channel.give_up(error)
        for identity in list(self._host_calls):
            self._cancel_host_call(identity)
        self._channels.clear()
        self._writer.close()


def failure(message: pb.Failure, body: bytes) -> Failure:
    """The exception that a Failure frame is."""
    return Failure(
        message.code,
        message.message,
        fault=Fault(message.fault),
        retry=Retry(message.retry),
        detail=Detail.of(message.detail) if message.HasField("detail") else None,
        host_calls=tuple(HostCallNote.of(note) for note in message.host_calls),
        backtrace=message.backtrace,
        report=body,
    )
