"""The client's end of the protocol, without I/O: bytes in, events out; calls in, bytes out.

It holds the daemon to the tables of PROTOCOL.md ("Both machines") and knows nothing of sockets, tasks or time.

    AwaitGreeting --Welcome--> Open --Bye--> Leaving --Refused, a violation--> Closed
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from google.protobuf.message import Message

from . import casemate_pb2 as pb
from .errors import ProtocolViolation, Refused
from .frames import MAGIC, PAYLOAD_BYTES_MAX, VERSION, WINDOW_BYTES, Decoder, End, Frame, encode

ID_MAX: Final = 2**64 - 1

Opening = pb.Call | pb.Request | pb.Follow
Ending = pb.Answer | pb.Response | pb.Failure


@dataclass(frozen=True)
class Welcomed:
    """The daemon greeted: streams may be opened."""

    welcome: pb.Welcome


@dataclass(frozen=True)
class HostCalled:
    """A plugin calls the host. Unless ``more``, the body is whole."""

    id: int
    call: pb.HostCall
    body: bytes


@dataclass(frozen=True)
class Body:
    """More of a body. Give credit for it once it is passed on."""

    id: int
    part: bytes
    end: bool


@dataclass(frozen=True)
class Credited:
    """More may be sent on a stream."""

    id: int


@dataclass(frozen=True)
class HostCallCancelled:
    """Nobody waits for a host call's answer any more."""

    id: int


@dataclass(frozen=True)
class Told:
    """One of what is followed; without content, the following is in force."""

    id: int
    item: pb.Item
    body: bytes


@dataclass(frozen=True)
class Ended:
    """A stream of ours is over."""

    id: int
    ending: Ending
    body: bytes


@dataclass(frozen=True)
class DaemonLeaves:
    """The daemon takes nothing new; what is open goes on."""

    reason: str


SessionEvent = Welcomed | HostCalled | Body | Credited | HostCallCancelled | Told | Ended | DaemonLeaves


class State(Enum):
    """The state of a connection, named by what it awaits."""

    AWAIT_GREETING = auto()
    OPEN = auto()
    LEAVING = auto()
    CLOSED = auto()


@dataclass
class _Stream:
    """An open stream. ``peer_sends``: Data of the daemon may still come."""

    kind: type[Message]
    own_sends: bool
    peer_sends: bool
    send_window: int
    receive_window: int


class Session:
    """One connection's state. What it wants written collects in ``output()``."""

    def __init__(self, client: str) -> None:
        self._decoder = Decoder(End.DAEMON)
        self._output = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._last_own = -1
        self._last_peer = 0
        self._window = WINDOW_BYTES
        self.payload_bytes_max = PAYLOAD_BYTES_MAX
        self._left = False
        self.state = State.AWAIT_GREETING
        self._write(0, pb.Hello(magic=MAGIC, version_min=VERSION, version_max=VERSION, client=client))

    # --- Bytes ------------------------------------------------------------------------------------------------------

    def output(self) -> bytes:
        """What is to be written, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def receive(self, data: bytes) -> Iterator[SessionEvent]:
        """Takes bytes as they came and gives what they say.

        Raises ``Refused`` when the daemon ends the connection and ``ProtocolViolation`` when it breaks a rule; nothing
        is read after either.
        """
        try:
            for frame in self._decoder.push(data):
                event = self._take(frame)
                if event is not None:
                    yield event
        except (Refused, ProtocolViolation):
            self.state = State.CLOSED
            raise

    # --- Our side ---------------------------------------------------------------------------------------------------

    def open(self, opening: Opening, body: bytes = b"") -> int:
        """Opens a stream with the beginning of its body. With ``more`` in the message, ``data`` goes on with it."""
        if self.state not in (State.OPEN, State.LEAVING) or self._left:
            raise RuntimeError("no stream can be opened: the connection is not open")
        identity = self._last_own + 2
        if identity > ID_MAX:
            raise RuntimeError("the ids of this connection are used up: connect anew")
        more = not isinstance(opening, pb.Follow) and opening.more
        self._write(identity, opening, body)
        self._last_own = identity
        self._streams[identity] = _Stream(type(opening), more, True, self._window, self._window)
        return identity

    def sendable(self, identity: int) -> int:
        """Bytes that the next ``data`` of a stream may carry; 0 also if the stream is over."""
        stream = self._streams.get(identity)
        return min(stream.send_window, self.payload_bytes_max) if stream is not None and stream.own_sends else 0

    def is_open(self, identity: int) -> bool:
        """Whether a stream is open."""
        return identity in self._streams

    def data(self, identity: int, part: bytes, end: bool = False) -> None:
        """Sends more of a body. ``end`` is for a stream of ours; a host call's answer ends with ``end_host_call``."""
        stream = self._streams[identity]
        if not stream.own_sends:
            raise RuntimeError(f"the body of stream {identity} has ended")
        if len(part) > self.sendable(identity):
            raise RuntimeError(f"stream {identity} has credit for {self.sendable(identity)} bytes, not {len(part)}")
        if end and not _is_own(identity):
            raise RuntimeError("the answer to a host call ends with its HostResult")
        if not part and not end:
            return
        self._write(identity, pb.Data(end=end), part)
        stream.send_window -= len(part)
        stream.own_sends = not end

    def credit(self, identity: int, count: int) -> None:
        """Allows more of a body that was passed on. Of a stream that is over, there is nothing to allow."""
        stream = self._streams.get(identity)
        if stream is not None and stream.peer_sends and count:
            self._write(identity, pb.Credit(bytes=count))
            stream.receive_window += count

    def cancel(self, identity: int) -> None:
        """Gives up a stream of ours. One that is over already is left alone."""
        if _is_own(identity) and identity in self._streams:
            self._write(identity, pb.Cancel())
            del self._streams[identity]

    def end_host_call(self, identity: int, result: pb.HostResult, body: bytes = b"") -> None:
        """Answers a host call. One that was cancelled meanwhile is left alone."""
        if not _is_own(identity) and identity in self._streams:
            self._write(identity, result, body)
            del self._streams[identity]

    def bye(self, reason: str = "") -> None:
        """Says that nothing more will be opened."""
        if self.state in (State.OPEN, State.LEAVING) and not self._left:
            self._left = True
            self._write(0, pb.Bye(reason=reason))

    def _write(self, identity: int, message: Message, body: bytes = b"") -> None:
        self._output += encode(End.CLIENT, Frame(identity, message, body))

    # --- The daemon's side ------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> SessionEvent | None:
        message = frame.message
        if isinstance(message, pb.Refused | pb.Welcome | pb.Bye) and frame.id != 0:
            raise ProtocolViolation("protocol.field", f"{message.DESCRIPTOR.name} of stream {frame.id}: its id is 0")
        if isinstance(message, pb.Refused):
            raise Refused(message.code, message.message, message.version_min, message.version_max)
        if self.state is State.AWAIT_GREETING:
            return self._greeted(message)
        match message:
            case pb.Welcome():
                raise ProtocolViolation("protocol.greeting_again", "a second Welcome")
            case pb.Bye():
                return self._bid_farewell(message)
            case pb.HostCall():
                return self._host_called(frame.id, message, frame.payload)
            case pb.Cancel():
                return self._cancelled(frame.id)
            case _:
                return self._of_stream(frame.id, message, frame.payload)

    def _greeted(self, message: Message) -> Welcomed:
        if not isinstance(message, pb.Welcome):
            raise ProtocolViolation("protocol.greeting", f"{message.DESCRIPTOR.name} before the greeting")
        if message.version != VERSION:
            raise ProtocolViolation("protocol.version", f"version {message.version}: {VERSION} was asked for")
        if not 0 < message.payload_bytes_max <= PAYLOAD_BYTES_MAX or not message.window_bytes:
            raise ProtocolViolation(
                "protocol.field",
                f"frames of {message.payload_bytes_max} bytes and windows of {message.window_bytes}: a frame has from "
                f"1 to {PAYLOAD_BYTES_MAX}, and a window some",
            )
        self.payload_bytes_max = message.payload_bytes_max
        self._window = message.window_bytes
        self.state = State.OPEN
        return Welcomed(message)

    def _bid_farewell(self, message: pb.Bye) -> DaemonLeaves:
        if self.state is State.LEAVING:
            raise ProtocolViolation("protocol.closed", "a second Bye")
        self.state = State.LEAVING
        return DaemonLeaves(message.reason)

    def _host_called(self, identity: int, call: pb.HostCall, body: bytes) -> HostCalled:
        if _is_own(identity):
            raise ProtocolViolation("protocol.stream_parity", f"HostCall {identity}: odd ids are the client's")
        if identity <= self._last_peer:
            raise ProtocolViolation("protocol.stream_id", f"HostCall {identity} after {self._last_peer}")
        if self.state is State.LEAVING:
            raise ProtocolViolation("protocol.closed", f"HostCall {identity} after Bye")
        self._last_peer = identity
        self._streams[identity] = _Stream(pb.HostCall, True, call.more, self._window, self._window)
        return HostCalled(identity, call, body)

    def _cancelled(self, identity: int) -> HostCallCancelled | None:
        self._was_opened(identity, "Cancel")
        if _is_own(identity):
            raise ProtocolViolation("protocol.stream_direction", f"Cancel of stream {identity}, which is the client's")
        return HostCallCancelled(identity) if self._streams.pop(identity, None) is not None else None

    def _of_stream(self, identity: int, message: Message, body: bytes) -> SessionEvent | None:
        name = message.DESCRIPTOR.name
        self._was_opened(identity, name)
        if not _is_own(identity) and not isinstance(message, pb.Data | pb.Credit):
            raise ProtocolViolation("protocol.stream_direction", f"{name} of host call {identity}")
        stream = self._streams.get(identity)
        if stream is None:
            return None
        match message:
            case pb.Credit():
                stream.send_window += message.bytes
                return Credited(identity)
            case pb.Data():
                return self._more(identity, stream, message, body)
            case pb.Item():
                if stream.kind is not pb.Follow:
                    raise ProtocolViolation("protocol.stream_kind", f"Item of stream {identity}, which follows nothing")
                return Told(identity, message, body)
            case pb.Answer() | pb.Response() | pb.Failure():
                wanted = pb.Answer if stream.kind is pb.Call else pb.Response
                if not isinstance(message, wanted | pb.Failure):
                    opener = stream.kind.DESCRIPTOR.name
                    raise ProtocolViolation("protocol.stream_kind", f"{name} of stream {identity}, which is a {opener}")
                del self._streams[identity]
                return Ended(identity, message, body)
            case _:
                raise AssertionError(f"{name} is no daemon's frame")

    def _more(self, identity: int, stream: _Stream, message: pb.Data, body: bytes) -> Body:
        if not stream.peer_sends:
            raise ProtocolViolation("protocol.stream_ended", f"Data of host call {identity} after its end")
        if message.end and _is_own(identity):
            raise ProtocolViolation("protocol.field", f"Data of stream {identity} with `end`: an answer has none")
        if not body and not message.end:
            raise ProtocolViolation("protocol.field", f"Data of stream {identity} without a byte")
        if len(body) > stream.receive_window:
            raise ProtocolViolation(
                "protocol.credit",
                f"{len(body)} bytes of stream {identity}, which had credit for {stream.receive_window}",
            )
        stream.receive_window -= len(body)
        stream.peer_sends = not message.end
        return Body(identity, body, message.end)

    def _was_opened(self, identity: int, name: str) -> None:
        if identity > (self._last_own if _is_own(identity) else self._last_peer) or identity == 0:
            raise ProtocolViolation("protocol.stream_unknown", f"{name} of stream {identity}, which was never opened")


def _is_own(identity: int) -> bool:
    return identity % 2 == 1
