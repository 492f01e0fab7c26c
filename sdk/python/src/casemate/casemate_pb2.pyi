from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ContentType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTENT_TYPE_RAW: _ClassVar[ContentType]
    CONTENT_TYPE_JSON: _ClassVar[ContentType]

class Fault(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAULT_UNKNOWN: _ClassVar[Fault]
    FAULT_GUEST: _ClassVar[Fault]
    FAULT_WORKER: _ClassVar[Fault]
    FAULT_CALLER: _ClassVar[Fault]
    FAULT_OPERATOR: _ClassVar[Fault]
    FAULT_KERNEL: _ClassVar[Fault]
    FAULT_US: _ClassVar[Fault]

class Retry(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRY_UNKNOWN: _ClassVar[Retry]
    RETRY_NOT_STARTED: _ClassVar[Retry]
    RETRY_MAYBE_RAN: _ClassVar[Retry]
    RETRY_DONE: _ClassVar[Retry]

class LayerStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LAYER_STATUS_OFF: _ClassVar[LayerStatus]
    LAYER_STATUS_REPORTED: _ClassVar[LayerStatus]
    LAYER_STATUS_OBSERVED: _ClassVar[LayerStatus]
CONTENT_TYPE_RAW: ContentType
CONTENT_TYPE_JSON: ContentType
FAULT_UNKNOWN: Fault
FAULT_GUEST: Fault
FAULT_WORKER: Fault
FAULT_CALLER: Fault
FAULT_OPERATOR: Fault
FAULT_KERNEL: Fault
FAULT_US: Fault
RETRY_UNKNOWN: Retry
RETRY_NOT_STARTED: Retry
RETRY_MAYBE_RAN: Retry
RETRY_DONE: Retry
LAYER_STATUS_OFF: LayerStatus
LAYER_STATUS_REPORTED: LayerStatus
LAYER_STATUS_OBSERVED: LayerStatus

class Hello(_message.Message):
    __slots__ = ("magic", "version_min", "version_max", "client")
    MAGIC_FIELD_NUMBER: _ClassVar[int]
    VERSION_MIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_MAX_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    magic: int
    version_min: int
    version_max: int
    client: str
    def __init__(self, magic: _Optional[int] = ..., version_min: _Optional[int] = ..., version_max: _Optional[int] = ..., client: _Optional[str] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("version", "server", "payload_bytes_max", "window_bytes", "in_flight", "rights", "plugins")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    WINDOW_BYTES_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    RIGHTS_FIELD_NUMBER: _ClassVar[int]
    PLUGINS_FIELD_NUMBER: _ClassVar[int]
    version: int
    server: str
    payload_bytes_max: int
    window_bytes: int
    in_flight: int
    rights: _containers.RepeatedScalarFieldContainer[str]
    plugins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[int] = ..., server: _Optional[str] = ..., payload_bytes_max: _Optional[int] = ..., window_bytes: _Optional[int] = ..., in_flight: _Optional[int] = ..., rights: _Optional[_Iterable[str]] = ..., plugins: _Optional[_Iterable[str]] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("code", "message", "version_min", "version_max")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_MIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_MAX_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    version_min: int
    version_max: int
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., version_min: _Optional[int] = ..., version_max: _Optional[int] = ...) -> None: ...

class Bye(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Data(_message.Message):
    __slots__ = ("end",)
    END_FIELD_NUMBER: _ClassVar[int]
    end: bool
    def __init__(self, end: bool = ...) -> None: ...

class Credit(_message.Message):
    __slots__ = ("bytes",)
    BYTES_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    def __init__(self, bytes: _Optional[int] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Call(_message.Message):
    __slots__ = ("plugin", "method", "content_type", "deadline_ms", "more", "stream", "traceparent", "tracestate")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    method: str
    content_type: ContentType
    deadline_ms: int
    more: bool
    stream: bool
    traceparent: str
    tracestate: str
    def __init__(self, plugin: _Optional[str] = ..., method: _Optional[str] = ..., content_type: _Optional[_Union[ContentType, str]] = ..., deadline_ms: _Optional[int] = ..., more: bool = ..., stream: bool = ..., traceparent: _Optional[str] = ..., tracestate: _Optional[str] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("content_type",)
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    content_type: ContentType
    def __init__(self, content_type: _Optional[_Union[ContentType, str]] = ...) -> None: ...

class HostCall(_message.Message):
    __slots__ = ("plugin", "instance", "method", "content_type", "deadline_ms", "more", "call", "traceparent", "tracestate", "answer_bytes_max")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    instance: int
    method: str
    content_type: ContentType
    deadline_ms: int
    more: bool
    call: int
    traceparent: str
    tracestate: str
    answer_bytes_max: int
    def __init__(self, plugin: _Optional[str] = ..., instance: _Optional[int] = ..., method: _Optional[str] = ..., content_type: _Optional[_Union[ContentType, str]] = ..., deadline_ms: _Optional[int] = ..., more: bool = ..., call: _Optional[int] = ..., traceparent: _Optional[str] = ..., tracestate: _Optional[str] = ..., answer_bytes_max: _Optional[int] = ...) -> None: ...

class HostResult(_message.Message):
    __slots__ = ("content_type", "error")
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    content_type: ContentType
    error: HostError
    def __init__(self, content_type: _Optional[_Union[ContentType, str]] = ..., error: _Optional[_Union[HostError, _Mapping]] = ...) -> None: ...

class HostError(_message.Message):
    __slots__ = ("code", "message", "retryable")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    retryable: bool
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., retryable: bool = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("code", "message", "fault", "retry", "detail", "host_calls", "backtrace")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    HOST_CALLS_FIELD_NUMBER: _ClassVar[int]
    BACKTRACE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    fault: Fault
    retry: Retry
    detail: Detail
    host_calls: _containers.RepeatedCompositeFieldContainer[HostCallNote]
    backtrace: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., fault: _Optional[_Union[Fault, str]] = ..., retry: _Optional[_Union[Retry, str]] = ..., detail: _Optional[_Union[Detail, _Mapping]] = ..., host_calls: _Optional[_Iterable[_Union[HostCallNote, _Mapping]]] = ..., backtrace: _Optional[str] = ...) -> None: ...

class Detail(_message.Message):
    __slots__ = ("configured", "observed", "grace_ms", "subject", "words", "retryable", "exit_code", "exit_signal", "system_call", "by_crashes")
    CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    GRACE_MS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    EXIT_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_CALL_FIELD_NUMBER: _ClassVar[int]
    BY_CRASHES_FIELD_NUMBER: _ClassVar[int]
    configured: int
    observed: int
    grace_ms: int
    subject: str
    words: str
    retryable: bool
    exit_code: int
    exit_signal: int
    system_call: SystemCall
    by_crashes: bool
    def __init__(self, configured: _Optional[int] = ..., observed: _Optional[int] = ..., grace_ms: _Optional[int] = ..., subject: _Optional[str] = ..., words: _Optional[str] = ..., retryable: bool = ..., exit_code: _Optional[int] = ..., exit_signal: _Optional[int] = ..., system_call: _Optional[_Union[SystemCall, _Mapping]] = ..., by_crashes: bool = ...) -> None: ...

class SystemCall(_message.Message):
    __slots__ = ("arch", "number", "args", "instruction_pointer")
    ARCH_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_POINTER_FIELD_NUMBER: _ClassVar[int]
    arch: int
    number: int
    args: _containers.RepeatedScalarFieldContainer[int]
    instruction_pointer: int
    def __init__(self, arch: _Optional[int] = ..., number: _Optional[int] = ..., args: _Optional[_Iterable[int]] = ..., instruction_pointer: _Optional[int] = ...) -> None: ...

class HostCallNote(_message.Message):
    __slots__ = ("method", "code", "elapsed_us")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_US_FIELD_NUMBER: _ClassVar[int]
    method: str
    code: str
    elapsed_us: int
    def __init__(self, method: _Optional[str] = ..., code: _Optional[str] = ..., elapsed_us: _Optional[int] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("more", "load", "unload", "list", "info", "enable", "disable", "drain", "reset", "reload", "config_get", "config_set", "stats", "publish", "serve", "unserve", "reload_policy", "inspect")
    MORE_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    UNLOAD_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    ENABLE_FIELD_NUMBER: _ClassVar[int]
    DISABLE_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    RELOAD_FIELD_NUMBER: _ClassVar[int]
    CONFIG_GET_FIELD_NUMBER: _ClassVar[int]
    CONFIG_SET_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_FIELD_NUMBER: _ClassVar[int]
    SERVE_FIELD_NUMBER: _ClassVar[int]
    UNSERVE_FIELD_NUMBER: _ClassVar[int]
    RELOAD_POLICY_FIELD_NUMBER: _ClassVar[int]
    INSPECT_FIELD_NUMBER: _ClassVar[int]
    more: bool
    load: Load
    unload: Unload
    list: List
    info: Info
    enable: Enable
    disable: Disable
    drain: Drain
    reset: Reset
    reload: Reload
    config_get: ConfigGet
    config_set: ConfigSet
    stats: Stats
    publish: Publish
    serve: Serve
    unserve: Unserve
    reload_policy: ReloadPolicy
    inspect: Inspect
    def __init__(self, more: bool = ..., load: _Optional[_Union[Load, _Mapping]] = ..., unload: _Optional[_Union[Unload, _Mapping]] = ..., list: _Optional[_Union[List, _Mapping]] = ..., info: _Optional[_Union[Info, _Mapping]] = ..., enable: _Optional[_Union[Enable, _Mapping]] = ..., disable: _Optional[_Union[Disable, _Mapping]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ..., reset: _Optional[_Union[Reset, _Mapping]] = ..., reload: _Optional[_Union[Reload, _Mapping]] = ..., config_get: _Optional[_Union[ConfigGet, _Mapping]] = ..., config_set: _Optional[_Union[ConfigSet, _Mapping]] = ..., stats: _Optional[_Union[Stats, _Mapping]] = ..., publish: _Optional[_Union[Publish, _Mapping]] = ..., serve: _Optional[_Union[Serve, _Mapping]] = ..., unserve: _Optional[_Union[Unserve, _Mapping]] = ..., reload_policy: _Optional[_Union[ReloadPolicy, _Mapping]] = ..., inspect: _Optional[_Union[Inspect, _Mapping]] = ...) -> None: ...

class Load(_message.Message):
    __slots__ = ("plugin", "manifest", "config", "configured")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    manifest: str
    config: str
    configured: bool
    def __init__(self, plugin: _Optional[str] = ..., manifest: _Optional[str] = ..., config: _Optional[str] = ..., configured: bool = ...) -> None: ...

class Unload(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class List(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Info(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class Enable(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class Disable(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class Drain(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class Reset(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class Reload(_message.Message):
    __slots__ = ("plugin", "configured")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    configured: bool
    def __init__(self, plugin: _Optional[str] = ..., configured: bool = ...) -> None: ...

class ConfigGet(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class ConfigSet(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Publish(_message.Message):
    __slots__ = ("topic", "content_type")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    topic: str
    content_type: ContentType
    def __init__(self, topic: _Optional[str] = ..., content_type: _Optional[_Union[ContentType, str]] = ...) -> None: ...

class Serve(_message.Message):
    __slots__ = ("method",)
    METHOD_FIELD_NUMBER: _ClassVar[int]
    method: str
    def __init__(self, method: _Optional[str] = ...) -> None: ...

class Unserve(_message.Message):
    __slots__ = ("method",)
    METHOD_FIELD_NUMBER: _ClassVar[int]
    method: str
    def __init__(self, method: _Optional[str] = ...) -> None: ...

class ReloadPolicy(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Inspect(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Response(_message.Message):
    __slots__ = ("plugins", "counters", "changes")
    PLUGINS_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    plugins: _containers.RepeatedCompositeFieldContainer[Plugin]
    counters: Counters
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    def __init__(self, plugins: _Optional[_Iterable[_Union[Plugin, _Mapping]]] = ..., counters: _Optional[_Union[Counters, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ...) -> None: ...

class Plugin(_message.Message):
    __slots__ = ("name", "state", "disabled", "generation", "reloading", "idle", "busy", "starting", "waiting", "dropped", "crashes", "last_crash", "retry_in_ms", "from_cache", "certificate", "events_waiting", "events_delivered", "events_failed", "events_dropped", "notes", "configuration")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RELOADING_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    STARTING_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    CRASHES_FIELD_NUMBER: _ClassVar[int]
    LAST_CRASH_FIELD_NUMBER: _ClassVar[int]
    RETRY_IN_MS_FIELD_NUMBER: _ClassVar[int]
    FROM_CACHE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_WAITING_FIELD_NUMBER: _ClassVar[int]
    EVENTS_DELIVERED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FAILED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
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
    certificate: Certificate
    events_waiting: int
    events_delivered: int
    events_failed: int
    events_dropped: int
    notes: _containers.RepeatedScalarFieldContainer[str]
    configuration: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., disabled: _Optional[str] = ..., generation: _Optional[int] = ..., reloading: bool = ..., idle: _Optional[int] = ..., busy: _Optional[int] = ..., starting: _Optional[int] = ..., waiting: _Optional[int] = ..., dropped: _Optional[int] = ..., crashes: _Optional[int] = ..., last_crash: _Optional[str] = ..., retry_in_ms: _Optional[int] = ..., from_cache: bool = ..., certificate: _Optional[_Union[Certificate, _Mapping]] = ..., events_waiting: _Optional[int] = ..., events_delivered: _Optional[int] = ..., events_failed: _Optional[int] = ..., events_dropped: _Optional[int] = ..., notes: _Optional[_Iterable[str]] = ..., configuration: _Optional[str] = ...) -> None: ...

class Certificate(_message.Message):
    __slots__ = ("profile", "layers")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    profile: str
    layers: _containers.RepeatedCompositeFieldContainer[Layer]
    def __init__(self, profile: _Optional[str] = ..., layers: _Optional[_Iterable[_Union[Layer, _Mapping]]] = ...) -> None: ...

class Layer(_message.Message):
    __slots__ = ("name", "status", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    status: LayerStatus
    reason: str
    def __init__(self, name: _Optional[str] = ..., status: _Optional[_Union[LayerStatus, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Counters(_message.Message):
    __slots__ = ("uptime_ms", "clients", "connections", "refused", "calls", "failures", "host_calls", "events", "events_dropped")
    UPTIME_MS_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    HOST_CALLS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    uptime_ms: int
    clients: int
    connections: int
    refused: int
    calls: int
    failures: int
    host_calls: int
    events: int
    events_dropped: int
    def __init__(self, uptime_ms: _Optional[int] = ..., clients: _Optional[int] = ..., connections: _Optional[int] = ..., refused: _Optional[int] = ..., calls: _Optional[int] = ..., failures: _Optional[int] = ..., host_calls: _Optional[int] = ..., events: _Optional[int] = ..., events_dropped: _Optional[int] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("plugin", "what", "message")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    what: str
    message: str
    def __init__(self, plugin: _Optional[str] = ..., what: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Follow(_message.Message):
    __slots__ = ("subscribe", "logs")
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    subscribe: Subscribe
    logs: Logs
    def __init__(self, subscribe: _Optional[_Union[Subscribe, _Mapping]] = ..., logs: _Optional[_Union[Logs, _Mapping]] = ...) -> None: ...

class Subscribe(_message.Message):
    __slots__ = ("pattern",)
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    def __init__(self, pattern: _Optional[str] = ...) -> None: ...

class Logs(_message.Message):
    __slots__ = ("plugin", "level_min")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    LEVEL_MIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    level_min: int
    def __init__(self, plugin: _Optional[str] = ..., level_min: _Optional[int] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("dropped", "event", "log")
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    dropped: int
    event: Event
    log: LogLine
    def __init__(self, dropped: _Optional[int] = ..., event: _Optional[_Union[Event, _Mapping]] = ..., log: _Optional[_Union[LogLine, _Mapping]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("topic", "content_type", "plugin")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    topic: str
    content_type: ContentType
    plugin: str
    def __init__(self, topic: _Optional[str] = ..., content_type: _Optional[_Union[ContentType, str]] = ..., plugin: _Optional[str] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("plugin", "instance", "level", "dropped_lines")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    DROPPED_LINES_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    instance: int
    level: int
    dropped_lines: int
    def __init__(self, plugin: _Optional[str] = ..., instance: _Optional[int] = ..., level: _Optional[int] = ..., dropped_lines: _Optional[int] = ...) -> None: ...
