"""Both ways: the reviewed bytes are these values, and these values are those bytes."""

from __future__ import annotations

import pytest

from casemate import casemate_pb2 as pb
from casemate.errors import ProtocolViolation
from casemate.frames import KINDS, MAGIC, PAYLOAD_BYTES_MAX, WINDOW_BYTES, Decoder, Frame, encode

from . import golden

VECTORS = golden.read()

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = pb.CONTENT_TYPE_JSON
LAST = 2**64 - 1


def request(identity: int, payload: bytes = b"", more: bool = False, **operation: object) -> Frame:
    return Frame(identity, pb.Request(more=more, **operation), payload)  # type: ignore[arg-type]


# Each name of the file, and what its bytes are.
VALUES = {
    "hello": Frame(0, pb.Hello(magic=MAGIC, version_min=1, version_max=1, client="golden")),
    "welcome": Frame(
        0,
        pb.Welcome(
            version=1,
            server="casemate 1",
            payload_bytes_max=PAYLOAD_BYTES_MAX,
            window_bytes=WINDOW_BYTES,
            in_flight=64,
            rights=["call", "serve"],
            plugins=["search", "image.*"],
        ),
    ),
    "refused_version": Frame(0, pb.Refused(code="protocol.version", message="too old", version_min=2, version_max=3)),
    "refused_bare": Frame(0, pb.Refused()),
    "client_bye": Frame(0, pb.Bye(reason="done")),
    "daemon_bye": Frame(0, pb.Bye()),
    "call": Frame(
        1,
        pb.Call(
            plugin="search",
            method="find",
            content_type=JSON,
            deadline_ms=1500,
            traceparent=TRACEPARENT,
            tracestate="vendor=value",
        ),
        '{"q":"é"}'.encode(),
    ),
    "call_bare": Frame(3, pb.Call(plugin="p", method="m")),
    "call_stream": Frame(LAST, pb.Call(plugin="p", method="m", deadline_ms=2**32 - 1, more=True, stream=True)),
    "answer": Frame(1, pb.Answer(content_type=JSON), b"[1,2]"),
    "answer_bare": Frame(3, pb.Answer()),
    "host_call": Frame(
        2,
        pb.HostCall(
            plugin="search",
            instance=300,
            method="query:rows",
            content_type=JSON,
            deadline_ms=250,
            more=True,
            call=1,
            traceparent=TRACEPARENT,
            tracestate="vendor=value",
        ),
        b'{"limit":',
    ),
    "host_call_of_another": Frame(LAST - 1, pb.HostCall(plugin="search", instance=LAST, method="query:rows")),
    "host_result": Frame(2, pb.HostResult(content_type=JSON), b'{"rows":[]}'),
    "host_result_error": Frame(4, pb.HostResult(error=pb.HostError(code="busy", message="try later", retryable=True))),
    "host_result_bare_error": Frame(6, pb.HostResult(error=pb.HostError())),
    "failure": Frame(
        1,
        pb.Failure(
            code="limit.memory",
            message="out of memory",
            fault=pb.FAULT_GUEST,
            retry=pb.RETRY_MAYBE_RAN,
            detail=pb.Detail(configured=104_857_600, observed=104_923_136, subject="memory"),
            host_calls=[
                pb.HostCallNote(method="query:rows", code="ok", elapsed_us=1234),
                pb.HostCallNote(method="log:put", code="denied.host"),
            ],
            backtrace="find\nmain",
        ),
    ),
    "failure_exit": Frame(3, pb.Failure(code="worker.lost", fault=pb.FAULT_WORKER, detail=pb.Detail(exit_code=-1))),
    "failure_exit_zero": Frame(5, pb.Failure(code="worker.lost", fault=pb.FAULT_WORKER, detail=pb.Detail(exit_code=0))),
    "failure_system_call": Frame(
        7,
        pb.Failure(
            code="violation.syscall",
            fault=pb.FAULT_WORKER,
            retry=pb.RETRY_MAYBE_RAN,
            detail=pb.Detail(
                exit_signal=31,
                system_call=pb.SystemCall(
                    arch=0xC000_003E,
                    number=-(2**31),
                    args=[0, 1, 127, 128, LAST, 16_384],
                    instruction_pointer=0x7FFF_FFFF_FFFF,
                ),
            ),
        ),
    ),
    "failure_module": Frame(
        9,
        pb.Failure(code="module.invalid", message="no memory", fault=pb.FAULT_CALLER, retry=pb.RETRY_NOT_STARTED),
        b"\x00\xff\x00\xff",
    ),
    "failure_of_later": Frame(
        11,
        pb.Failure(code="moon.phase", message="wait", fault=99, retry=100),  # type: ignore[arg-type]
    ),
    "request_load": request(
        1,
        b"\0asm\1\0\0\0",
        more=True,
        load=pb.Load(plugin="search", manifest="version = 1", config='{"k":1}'),
    ),
    "request_load_configured": request(37, load=pb.Load(plugin="search", configured=True)),
    "request_unload": request(3, unload=pb.Unload(plugin="search")),
    "request_list": request(5, list=pb.List()),
    "request_info": request(7, info=pb.Info(plugin="search")),
    "request_enable": request(9, enable=pb.Enable(plugin="search")),
    "request_disable": request(11, disable=pb.Disable(plugin="search")),
    "request_drain": request(13, drain=pb.Drain(plugin="search")),
    "request_reset": request(15, reset=pb.Reset(plugin="search")),
    "request_reload": request(17, b"\0asm\0", reload=pb.Reload(plugin="search")),
    "request_reload_configured": request(35, reload=pb.Reload(plugin="search", configured=True)),
    "request_config_get": request(19, config_get=pb.ConfigGet(plugin="search")),
    "request_config_set": request(21, b'{"k":2}', config_set=pb.ConfigSet(plugin="search")),
    "request_stats": request(23, stats=pb.Stats()),
    "request_publish": request(25, b'"hi"', publish=pb.Publish(topic="content.new", content_type=JSON)),
    "request_serve": request(27, serve=pb.Serve(method="query:*")),
    "request_unserve": request(29, unserve=pb.Unserve(method="query:*")),
    "request_reload_policy": request(31, reload_policy=pb.ReloadPolicy()),
    "request_inspect": request(33, b"\0asm", inspect=pb.Inspect()),
    "response": Frame(
        7,
        pb.Response(
            plugins=[
                pb.Plugin(
                    name="search",
                    state="disabled",
                    disabled="crashes",
                    generation=2,
                    reloading=True,
                    idle=3,
                    busy=4,
                    starting=5,
                    waiting=6,
                    dropped=7,
                    crashes=8,
                    last_crash="trap",
                    retry_in_ms=1000,
                    from_cache=True,
                    certificate=pb.Certificate(
                        profile="core",
                        layers=[
                            pb.Layer(name="seccomp", status=pb.LAYER_STATUS_OBSERVED),
                            pb.Layer(name="landlock", reason="old kernel"),
                        ],
                    ),
                    events_waiting=9,
                    events_delivered=10,
                    events_failed=11,
                    events_dropped=12,
                )
            ]
        ),
        b"\x08\x01",
    ),
    "response_list": Frame(
        5,
        pb.Response(plugins=[pb.Plugin(name="a", state="running"), pb.Plugin(name="b", state="stopped")]),
    ),
    "response_stats": Frame(
        23,
        pb.Response(
            counters=pb.Counters(
                uptime_ms=127,
                clients=128,
                connections=3,
                refused=4,
                calls=LAST,
                failures=6,
                host_calls=7,
                events=8,
                events_dropped=9,
            )
        ),
    ),
    "response_changes": Frame(
        31,
        pb.Response(
            changes=[
                pb.Change(plugin="a", what="unchanged"),
                pb.Change(plugin="b", what="failed", message="no such file"),
            ]
        ),
    ),
    "response_bare": Frame(9, pb.Response()),
    "follow_events": Frame(1, pb.Follow(subscribe=pb.Subscribe(pattern="content.**"))),
    "follow_logs": Frame(3, pb.Follow(logs=pb.Logs(plugin="search", level_min=3))),
    "follow_all_logs": Frame(5, pb.Follow(logs=pb.Logs())),
    "item_in_force": Frame(1, pb.Item()),
    "item_event": Frame(
        1,
        pb.Item(dropped=2, event=pb.Event(topic="content.new", content_type=JSON, plugin="search")),
        b'"hi"',
    ),
    "item_log": Frame(
        3, pb.Item(log=pb.LogLine(plugin="search", instance=1, level=3, dropped_lines=5)), "größer".encode()
    ),
    "client_data": Frame(1, pb.Data(), b"abc"),
    "client_data_end": Frame(1, pb.Data(end=True), b"\0"),
    "client_data_only_end": Frame(1, pb.Data(end=True)),
    "client_credit": Frame(1, pb.Credit(bytes=65_536)),
    "client_cancel": Frame(1, pb.Cancel()),
    "daemon_data": Frame(1, pb.Data(), b"xyz"),
    "daemon_data_end": Frame(2, pb.Data(end=True), b"7}"),
    "daemon_credit": Frame(1, pb.Credit(bytes=2**32 - 1)),
    "daemon_cancel": Frame(2, pb.Cancel()),
}


def test_every_name_has_its_value() -> None:
    assert set(VALUES) == {name for name, vector in VECTORS.items() if vector.refused is None}


def test_every_kind_has_bytes() -> None:
    assert {VECTORS[name].bytes[4] for name in VALUES} == set(KINDS)


@pytest.mark.parametrize("name", VALUES)
def test_values_make_the_bytes(name: str) -> None:
    vector = VECTORS[name]
    assert encode(vector.sender, VALUES[name]).hex() == vector.bytes.hex()


@pytest.mark.parametrize("name", VALUES)
def test_bytes_make_the_values(name: str) -> None:
    vector = VECTORS[name]
    decoder = Decoder(vector.sender)
    assert list(decoder.push(vector.bytes)) == [VALUES[name]]
    assert not decoder.is_mid_frame


@pytest.mark.parametrize("name", VALUES)
def test_bytes_one_by_one_make_the_same_values(name: str) -> None:
    vector = VECTORS[name]
    decoder = Decoder(vector.sender)
    frames = [frame for byte in vector.bytes for frame in decoder.push(bytes([byte]))]
    assert frames == [VALUES[name]]


@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if vector.refused])
def test_what_is_refused(name: str) -> None:
    vector = VECTORS[name]
    decoder = Decoder(vector.sender)
    with pytest.raises(ProtocolViolation) as caught:
        list(decoder.push(vector.bytes))
    assert caught.value.code == vector.refused
    with pytest.raises(ProtocolViolation):
        list(decoder.push(VECTORS["daemon_bye"].bytes))
