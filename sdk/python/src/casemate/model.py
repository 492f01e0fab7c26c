"""What a daemon tells, as values: each has the fields of its message in casemate.proto."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from . import casemate_pb2 as pb


class ContentType(IntEnum):
    """What a body is. One of a later version of the protocol counts as raw bytes."""

    RAW = 0
    JSON = 1

    @property
    def wire_name(self) -> str:
        """Its name in casemate.proto."""
        return f"CONTENT_TYPE_{self.name}"

    @classmethod
    def _missing_(cls, value: object) -> ContentType:
        return cls.RAW


class Fault(IntEnum):
    """Whose fault a failure is."""

    UNKNOWN = 0
    GUEST = 1
    WORKER = 2
    CALLER = 3
    OPERATOR = 4
    KERNEL = 5
    US = 6

    @classmethod
    def _missing_(cls, value: object) -> Fault:
        return cls.UNKNOWN


class Retry(IntEnum):
    """What is known of a call that failed."""

    UNKNOWN = 0
    """Nothing: as with ``MAYBE_RAN``."""
    NOT_STARTED = 1
    """The guest never saw the call."""
    MAYBE_RAN = 2
    """The guest may have acted on the call."""
    DONE = 3
    """The guest answered."""

    @classmethod
    def _missing_(cls, value: object) -> Retry:
        return cls.UNKNOWN


class Level(IntEnum):
    """The level of a log line."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4


class LayerStatus(IntEnum):
    """Who says that a layer of the wall stands."""

    OFF = 0
    REPORTED = 1
    """Only the walled process says so."""
    OBSERVED = 2
    """Seen from outside, or proven by a canary."""

    @classmethod
    def _missing_(cls, value: object) -> LayerStatus:
        return cls.OFF


def decode(content_type: ContentType, body: bytes) -> Any:
    """The value of a body: of JSON what it says, otherwise the bytes."""
    return json.loads(body) if content_type is ContentType.JSON else body


def encode(value: Any) -> tuple[ContentType, bytes]:
    """The body of a value: bytes as they are, otherwise JSON."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ContentType.RAW, bytes(value)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return ContentType.JSON, text.encode()


@dataclass(frozen=True)
class Answer:
    """What a plugin answered."""

    content_type: ContentType
    body: bytes

    @property
    def value(self) -> Any:
        """The decoded body."""
        return decode(self.content_type, self.body)


@dataclass(frozen=True)
class SystemCall:
    """The system call that a worker died of."""

    arch: int
    number: int
    args: tuple[int, ...]
    instruction_pointer: int


@dataclass(frozen=True)
class Detail:
    """The values that a failure's message is made of; what is set depends on its code."""

    configured: int
    observed: int
    grace_ms: int
    subject: str
    words: str
    retryable: bool
    exit_code: int | None
    exit_signal: int | None
    system_call: SystemCall | None
    by_crashes: bool

    @classmethod
    def of(cls, message: pb.Detail) -> Detail:
        call = message.system_call
        return cls(
            configured=message.configured,
            observed=message.observed,
            grace_ms=message.grace_ms,
            subject=message.subject,
            words=message.words,
            retryable=message.retryable,
            exit_code=message.exit_code if message.HasField("exit_code") else None,
            exit_signal=message.exit_signal if message.HasField("exit_signal") else None,
            system_call=SystemCall(call.arch, call.number, tuple(call.args), call.instruction_pointer)
            if message.HasField("system_call")
            else None,
            by_crashes=message.by_crashes,
        )


@dataclass(frozen=True)
class HostCallNote:
    """A host call of a call that failed."""

    method: str
    code: str
    elapsed_us: int

    @classmethod
    def of(cls, message: pb.HostCallNote) -> HostCallNote:
        return cls(message.method, message.code, message.elapsed_us)


@dataclass(frozen=True)
class Layer:
    """A layer of the wall around a plugin's workers."""

    name: str
    status: LayerStatus
    reason: str


@dataclass(frozen=True)
class Certificate:
    """The layers of the wall, and who says so."""

    profile: str
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, message: pb.Certificate) -> Certificate:
        layers = (Layer(layer.name, LayerStatus(layer.status), layer.reason) for layer in message.layers)
        return cls(message.profile, tuple(layers))


@dataclass(frozen=True)
class PluginState:
    """A plugin at one moment."""

    name: str
    state: str
    disabled: str
    generation: int
    reloading: bool
    idle: int
    busy: int
    starting: int
    waiting: int
    dropped: int
    crashes: int
    last_crash: str
    retry_in_ms: int
    from_cache: bool
    certificate: Certificate | None
    """Not in a list of plugins."""
    events_waiting: int = 0
    events_delivered: int = 0
    events_failed: int = 0
    """Events that it was told and did not take."""
    events_dropped: int = 0
    """Events that were dropped before it was told."""
    report: bytes = b""
    """Of ``Plugin.info``: the compiler's report, undecoded."""

    @classmethod
    def of(cls, message: pb.Plugin, report: bytes = b"") -> PluginState:
        return cls(
            name=message.name,
            state=message.state,
            disabled=message.disabled,
            generation=message.generation,
            reloading=message.reloading,
            idle=message.idle,
            busy=message.busy,
            starting=message.starting,
            waiting=message.waiting,
            dropped=message.dropped,
            crashes=message.crashes,
            last_crash=message.last_crash,
            retry_in_ms=message.retry_in_ms,
            from_cache=message.from_cache,
            certificate=Certificate.of(message.certificate) if message.HasField("certificate") else None,
            events_waiting=message.events_waiting,
            events_delivered=message.events_delivered,
            events_failed=message.events_failed,
            events_dropped=message.events_dropped,
            report=report,
        )


@dataclass(frozen=True)
class Counters:
    """What was counted since the daemon started."""

    uptime_ms: int
    clients: int
    connections: int
    refused: int
    calls: int
    failures: int
    host_calls: int
    events: int
    events_dropped: int

    @classmethod
    def of(cls, message: pb.Counters) -> Counters:
        return cls(**{name: getattr(message, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Change:
    """What became of a plugin when the daemon read its configuration anew."""

    plugin: str
    what: str
    message: str

    @classmethod
    def of(cls, message: pb.Change) -> Change:
        return cls(message.plugin, message.what, message.message)


@dataclass(frozen=True)
class Event:
    """An event that somebody published."""

    topic: str
    content_type: ContentType
    plugin: str
    """The plugin that published it; empty: a client."""
    body: bytes
    dropped: int
    """How many events before this one were lost, because they were not taken in time."""

    @property
    def value(self) -> Any:
        """The decoded body."""
        return decode(self.content_type, self.body)


@dataclass(frozen=True)
class LogLine:
    """A line that a plugin logged."""

    plugin: str
    instance: int
    level: Level
    text: str
    dropped_lines: int
    """Lines of this instance that the policy's ``limits.log`` dropped before."""
    dropped: int
    """How many lines before this one were lost, because they were not taken in time."""
