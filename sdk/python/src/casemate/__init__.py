"""Client of the Casemate daemon: calls of untrusted WebAssembly plugins, which run in processes of their own.

``Casemate`` is for asyncio; ``casemate.sync.Casemate`` has the same methods without it.
"""

from .client import Casemate, Connecting, Deadline, Module, Plugin
from .errors import (
    CasemateError,
    ConnectionLost,
    Failure,
    HostError,
    NotRunning,
    ProtocolViolation,
    Refused,
)
from .following import Following
from .host import Handler, HostCall, TraceContext
from .model import (
    Answer,
    Certificate,
    Change,
    ContentType,
    Counters,
    Detail,
    Event,
    Fault,
    HostCallNote,
    Layer,
    LayerStatus,
    Level,
    LogLine,
    PluginState,
    Retry,
    SystemCall,
)
from .stream import Parts, Stream

__all__ = [
    "Answer",
    "Casemate",
    "CasemateError",
    "Certificate",
    "Change",
    "Connecting",
    "ConnectionLost",
    "ContentType",
    "Counters",
    "Deadline",
    "Detail",
    "Event",
    "Failure",
    "Fault",
    "Following",
    "Handler",
    "HostCall",
    "HostCallNote",
    "HostError",
    "Layer",
    "LayerStatus",
    "Level",
    "LogLine",
    "Module",
    "NotRunning",
    "Parts",
    "Plugin",
    "PluginState",
    "ProtocolViolation",
    "Refused",
    "Retry",
    "Stream",
    "SystemCall",
    "TraceContext",
]
