"""Frames: how messages and bodies lie on the stream. No I/O, no state machine.

A frame is a header of 16 bytes, a protobuf message with its length, and the rest of the body as raw payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from google.protobuf.message import DecodeError, Message

from . import casemate_pb2 as pb
from .errors import ProtocolViolation

HEADER: Final = struct.Struct("<IBBHQ")
LENGTH: Final = struct.Struct("<I")

PAYLOAD_BYTES_MAX: Final = 65_536
"""Bytes of body in one frame."""

WINDOW_BYTES: Final = 262_144
"""Bytes of body in the Data frames of one direction of a stream, before its first Credit."""

MAGIC: Final = int.from_bytes(b"casemate", "little")
VERSION: Final = 1


class End(Enum):
    """One of the two ends of a connection, with the longest message it may send."""

    CLIENT = "client"
    DAEMON = "daemon"

    @property
    def message_bytes_max(self) -> int:
        """A daemon is trusted by its clients, and they are not by it."""
        return 32_768 if self is End.CLIENT else 1_048_576


@dataclass(frozen=True)
class Kind:
    """What is known of a frame by the byte in its header."""

    byte: int
    sender: End
    message: type[Message]
    payload_bytes_max: int

    @property
    def body_bytes_max(self) -> int:
        """The longest body: the message with its length, and the payload."""
        return LENGTH.size + self.sender.message_bytes_max + self.payload_bytes_max


_NONE: Final = 0
_SOME: Final = PAYLOAD_BYTES_MAX

KINDS: Final = {
    kind.byte: kind
    for kind in (
        Kind(0x20, End.CLIENT, pb.Hello, _NONE),
        Kind(0x21, End.CLIENT, pb.Call, _SOME),
        Kind(0x22, End.CLIENT, pb.Request, _SOME),
        Kind(0x23, End.CLIENT, pb.Follow, _NONE),
        Kind(0x24, End.CLIENT, pb.HostResult, _SOME),
        Kind(0x2C, End.CLIENT, pb.Data, _SOME),
        Kind(0x2D, End.CLIENT, pb.Credit, _NONE),
        Kind(0x2E, End.CLIENT, pb.Cancel, _NONE),
        Kind(0x2F, End.CLIENT, pb.Bye, _NONE),
        Kind(0xA0, End.DAEMON, pb.Welcome, _NONE),
        Kind(0xA1, End.DAEMON, pb.Refused, _NONE),
        Kind(0xA2, End.DAEMON, pb.HostCall, _SOME),
        Kind(0xA3, End.DAEMON, pb.Answer, _SOME),
        Kind(0xA4, End.DAEMON, pb.Failure, _SOME),
        Kind(0xA5, End.DAEMON, pb.Response, _SOME),
        Kind(0xA6, End.DAEMON, pb.Item, _SOME),
        Kind(0xAC, End.DAEMON, pb.Data, _SOME),
        Kind(0xAD, End.DAEMON, pb.Credit, _NONE),
        Kind(0xAE, End.DAEMON, pb.Cancel, _NONE),
        Kind(0xAF, End.DAEMON, pb.Bye, _NONE),
    )
}

_BYTES: Final = {(kind.sender, kind.message): kind.byte for kind in KINDS.values()}


@dataclass(frozen=True)
class Frame:
    """One frame, its message decoded."""

    id: int
    message: Message
    payload: bytes = b""


def encode(sender: End, frame: Frame) -> bytes:
    """The bytes of a frame. A message or payload above its limit is a ``ValueError``."""
    kind = KINDS[_BYTES[sender, type(frame.message)]]
    message = frame.message.SerializeToString(deterministic=True)
    name = kind.message.DESCRIPTOR.name
    if len(message) > sender.message_bytes_max:
        raise ValueError(
            f"the {name} message would have {len(message)} bytes, and a {sender.value}'s message has at most "
            f"{sender.message_bytes_max}: shorten its texts"
        )
    if len(frame.payload) > kind.payload_bytes_max:
        raise ValueError(
            f"a {name} frame would carry {len(frame.payload)} bytes of body, and it carries at most "
            f"{kind.payload_bytes_max}"
        )
    length = LENGTH.size + len(message) + len(frame.payload)
    return b"".join((HEADER.pack(length, kind.byte, 0, 0, frame.id), LENGTH.pack(len(message)), message, frame.payload))


class Decoder:
    """Bytes of one sender in, frames out. What is no frame raises ``ProtocolViolation``, and nothing is read after."""

    def __init__(self, sender: End) -> None:
        self._sender = sender
        self._buffer = bytearray()
        self._violation: ProtocolViolation | None = None

    def push(self, data: bytes) -> Iterator[Frame]:
        """Takes bytes as they came, and gives the frames that they complete."""
        if self._violation is not None:
            raise self._violation
        self._buffer += data
        try:
            while (frame := self._next()) is not None:
                yield frame
        except ProtocolViolation as violation:
            self._violation = violation
            self._buffer.clear()
            raise

    @property
    def is_mid_frame(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def _next(self) -> Frame | None:
        if len(self._buffer) < HEADER.size:
            return None
        length, byte, flags, reserved, stream = HEADER.unpack_from(self._buffer)
        kind = KINDS.get(byte)
        if kind is None or kind.sender is not self._sender:
            raise ProtocolViolation("protocol.frame", f"0x{byte:02x} is no kind of a {self._sender.value}'s frame")
        name = kind.message.DESCRIPTOR.name
        if flags or reserved:
            raise ProtocolViolation("protocol.frame", f"a {name} frame has flags or reserved bytes set")
        if length > kind.body_bytes_max:
            raise ProtocolViolation(
                "protocol.frame", f"a {name} frame of {length} bytes: it has at most {kind.body_bytes_max}"
            )
        if len(self._buffer) < HEADER.size + length:
            return None
        body = bytes(self._buffer[HEADER.size : HEADER.size + length])
        del self._buffer[: HEADER.size + length]
        return _parse(kind, stream, body)


def _parse(kind: Kind, stream: int, body: bytes) -> Frame:
    name = kind.message.DESCRIPTOR.name
    if len(body) < LENGTH.size:
        raise ProtocolViolation("protocol.frame", f"a {name} frame has no room for the length of its message")
    (length,) = LENGTH.unpack_from(body)
    if length > kind.sender.message_bytes_max or LENGTH.size + length > len(body):
        raise ProtocolViolation("protocol.frame", f"a {name} message of {length} bytes is longer than it may be")
    payload = body[LENGTH.size + length :]
    if len(payload) > kind.payload_bytes_max:
        raise ProtocolViolation(
            "protocol.field",
            f"a {name} frame carries {len(payload)} bytes of body: it carries at most {kind.payload_bytes_max}",
        )
    message = kind.message()
    try:
        message.ParseFromString(body[LENGTH.size : LENGTH.size + length])
    except DecodeError as error:
        raise ProtocolViolation("protocol.frame", f"a {name} message cannot be decoded: {error}") from error
    return Frame(stream, message, payload)
