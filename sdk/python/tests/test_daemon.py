"""The asyncio client and a real daemon: calls, streams, host methods, events, logs, and what an operator does."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from casemate import (
    Answer,
    Casemate,
    ConnectionLost,
    ContentType,
    Failure,
    Fault,
    HostCall,
    HostError,
    LayerStatus,
    Level,
    NotRunning,
    Plugin,
    Refused,
    Retry,
)
from casemate import casemate_pb2 as pb
from casemate.frames import MAGIC, PAYLOAD_BYTES_MAX, WINDOW_BYTES, Decoder, End, Frame, encode

from .conftest import Daemon

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

LONG = 5 * WINDOW_BYTES + 1
"""Bytes of a body that needs credit several times."""


async def until_busy(casemate: Casemate, plugin: Plugin, busy: int) -> None:
    """Waits until so many calls of a plugin run."""
    while True:
        states = {state.name: state for state in await casemate.plugins()}
        if states[plugin.name].busy == busy:
            return
        await asyncio.sleep(0.01)


# --- Connecting -------------------------------------------------------------------------------------------------------


async def test_a_client_learns_what_it_may_do(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        assert casemate.server.startswith("casemate ")
        assert casemate.rights == {"call", "serve", "admin"}
        assert casemate.allowed_plugins == ("*",)
        assert casemate.in_flight > 0


async def test_without_a_daemon_the_error_says_what_to_do(daemon: Daemon) -> None:
    nowhere = daemon.socket.with_name("nowhere.sock")
    with pytest.raises(NotRunning, match=r"nowhere\.sock.*start one with `casemate serve`"):
        await Casemate.connect(nowhere)


async def test_a_file_that_is_no_socket_is_named(daemon: Daemon) -> None:
    with pytest.raises(NotRunning, match=r"casemate\.toml"):
        await Casemate.connect(daemon.configuration)


async def test_the_environment_names_the_socket(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEMATE_SOCKET", str(daemon.socket))
    async with Casemate.connect() as casemate:
        assert await casemate.plugins()


async def test_without_any_name_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CASEMATE_SOCKET", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotRunning, match=r"XDG_RUNTIME_DIR is not set.*name the socket"):
        await Casemate.connect()


async def test_a_version_that_nobody_speaks_is_refused(daemon: Daemon) -> None:
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(daemon.socket))
        hello = pb.Hello(magic=MAGIC, version_min=8, version_max=9, client="of the future")
        stream.sendall(encode(End.CLIENT, Frame(0, hello)))
        data = b"".join(iter(lambda: stream.recv(4096), b""))
    (frame,) = Decoder(End.DAEMON).push(data)
    assert isinstance(frame.message, pb.Refused)
    assert frame.message.code == "protocol.version"
    assert (frame.message.version_min, frame.message.version_max) == (1, 1)


async def test_whoever_breaks_the_protocol_is_told(daemon: Daemon) -> None:
    casemate = await Casemate.connect(daemon.socket)
    # A stream whose id is the daemon's to give.
    casemate._connection.session._output += encode(End.CLIENT, Frame(2, pb.Call(plugin="probe", method="echo")))
    with pytest.raises(Refused) as caught:
        await casemate.plugins()
    assert caught.value.code == "protocol.stream_parity"
    with pytest.raises(Refused):
        await casemate.plugins()
    await casemate.close()


async def test_a_daemon_that_dies_ends_what_is_open(own_daemon: Daemon) -> None:
    async with Casemate.connect(own_daemon.socket) as casemate:
        probe = casemate.plugin("probe")
        call = asyncio.create_task(probe.call("spin"))
        await until_busy(casemate, probe, 1)
        own_daemon.process.kill()
        with pytest.raises(ConnectionLost, match="closed the connection"):
            await call
        with pytest.raises(ConnectionLost):
            await casemate.plugins()


async def test_a_daemon_that_stops_lets_a_call_finish(own_daemon: Daemon) -> None:
    async with Casemate.connect(own_daemon.socket) as casemate:
        asked, may_answer = asyncio.Event(), asyncio.Event()

        @casemate.on("query:wait")
        async def wait(call: HostCall) -> str:
            asked.set()
            await may_answer.wait()
            return "waited"

        call = asyncio.create_task(casemate.plugin("probe").call("host", {"method": "query:wait"}))
        await asked.wait()
        own_daemon.process.terminate()
        may_answer.set()
        assert await call == "waited"
    own_daemon.process.wait()


async def test_a_connection_that_was_closed_says_so(daemon: Daemon) -> None:
    casemate = await Casemate.connect(daemon.socket)
    await casemate.close()
    await casemate.close()
    with pytest.raises(ConnectionLost, match="closed here"):
        await casemate.plugins()


# --- Calls ------------------------------------------------------------------------------------------------------------


async def test_a_call_in_json(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        stats = await casemate.plugin("stats").call("stats", {"numbers": [1, 2, 6]})
        assert (stats["sum"], stats["max"]) == (9, 6)


async def test_a_call_in_bytes(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        probe = casemate.plugin("probe")
        assert await probe.call_raw("echo", b"\x00\xff") == Answer(ContentType.RAW, b"\x00\xff")
        with pytest.raises(TypeError, match="call_raw"):
            await probe.call("echo", b"\x00\xff")


@pytest.mark.parametrize("length", [0, 1, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1, LONG])
async def test_a_body_of_any_length(daemon: Daemon, length: int) -> None:
    body = bytes(range(256)) * (length // 256 + 1)
    async with Casemate.connect(daemon.socket) as casemate:
        answer = await casemate.plugin("probe").call_raw("echo", body[:length])
        assert answer.body == body[:length]


async def test_many_calls_at_once(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        probe = casemate.plugin("probe")
        bodies = [bytes([number]) * 100_000 for number in range(16)]
        answers = await asyncio.gather(*(probe.call_raw("echo", body) for body in bodies))
        assert [answer.body for answer in answers] == bodies


async def test_an_input_above_its_limit_ends_the_call_early(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        with pytest.raises(Failure) as caught:
            await casemate.plugin("probe").call_raw("echo", bytes(16 * 2**20))
        failure = caught.value
        assert failure.code == "limit.input"
        assert (failure.fault, failure.retry) == (Fault.CALLER, Retry.NOT_STARTED)
        assert failure.detail is not None
        assert failure.detail.configured == 4 * 2**20 < failure.detail.observed
        assert (await casemate.plugin("probe").call_raw("echo", b"on")).body == b"on"


async def test_a_trap_tells_where_the_guest_was(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        with pytest.raises(Failure) as caught:
            await casemate.plugin("probe").call("panic", "boom")
        failure = caught.value
        assert failure.code.startswith("trap.")
        assert (failure.fault, failure.retry) == (Fault.GUEST, Retry.MAYBE_RAN)
        assert len(failure.backtrace.splitlines()) > 1


async def test_a_guests_own_error(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        with pytest.raises(Failure) as caught:
            await casemate.plugin("probe").call("no_such_method")
        assert caught.value.code == "guest.error"
        assert caught.value.retry is Retry.DONE
        assert caught.value.detail is not None
        assert caught.value.detail.subject == "unknown_method"


async def test_a_deadline_ends_a_call(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:

        @casemate.on("query:*")
        def answer(call: HostCall) -> None:
            return None

        with pytest.raises(Failure) as caught:
            await casemate.plugin("probe").call("host_loop", {"method": "query:x"}, deadline=0.5)
        failure = caught.value
        assert failure.code == "timeout.deadline"
        assert failure.detail is not None
        assert failure.detail.configured == 500


@pytest.mark.parametrize("deadline", [0, -1, 4_294_968])
async def test_a_deadline_that_is_none(daemon: Daemon, deadline: float) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        with pytest.raises(ValueError, match="above 0 and at most"):
            await casemate.plugin("probe").call("counter", deadline=deadline)


async def test_the_name_of_a_method_that_is_too_long(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        with pytest.raises(ValueError, match="at most 256 bytes, and this one has 258"):
            await casemate.plugin("probe").call("é" * 129)
        assert await casemate.plugins()


async def test_more_at_once_than_is_allowed(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate, AsyncExitStack() as followings:
        for _ in range(16):
            await followings.enter_async_context(casemate.subscribe("**"))
        with pytest.raises(Failure, match="16 followings"):
            await followings.enter_async_context(casemate.subscribe("**"))
        asked = [asyncio.create_task(casemate.plugin("probe").call("spin")) for _ in range(casemate.in_flight - 16)]
        # In the order of the calls: they are on their way before the next one is.
        await asyncio.sleep(0)
        with pytest.raises(Failure) as caught:
            await casemate.plugins()
        assert caught.value.code == "overloaded.client"
        for call in asked:
            call.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await followings.aclose()
        assert await casemate.plugins()


async def test_a_cancelled_task_kills_its_call(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        probe = casemate.plugin("probe")
        call = asyncio.create_task(probe.call("spin"))
        await until_busy(casemate, probe, 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until_busy(casemate, probe, 0)
        assert await probe.call("counter") == 1


async def test_a_plugin_that_is_not_there(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        with pytest.raises(Failure) as caught:
            await casemate.plugin("nobody").call("x")
        assert caught.value.code == "plugin.unknown"


# --- Streams ----------------------------------------------------------------------------------------------------------


async def test_a_stream_goes_both_ways_at_the_readers_pace(daemon: Daemon) -> None:
    taken = received = most_ahead = 0
    part = bytes(range(250)) * 40

    async def parts() -> AsyncIterator[bytes]:
        nonlocal taken, most_ahead
        for _ in range(400):
            taken += len(part)
            most_ahead = max(most_ahead, taken - received)
            yield part

    async with Casemate.connect(daemon.socket) as casemate:
        echoed = bytearray()
        async with casemate.plugin("echo").stream("x", parts()) as stream:
            async for piece in stream:
                received += len(piece)
                echoed += piece
        assert echoed == part * 400
        assert stream.content_type is ContentType.RAW
        # A window each way, with what the daemon, its worker and the two sockets hold in between.
        assert most_ahead < len(echoed) // 2


async def test_a_stream_takes_bytes_and_plain_iterables(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        echo = casemate.plugin("echo")
        for parts in (b"abc", [b"a", b"", b"bc"], (part for part in (b"ab", b"c")), []):
            whole = b"" if parts == [] else b"abc"
            assert b"".join([piece async for piece in echo.stream("x", parts)]) == whole


async def test_a_part_is_echoed_before_the_next_is_there(daemon: Daemon) -> None:
    parts: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def taken() -> AsyncIterator[bytes]:
        while (part := await parts.get()) is not None:
            yield part

    async with (
        Casemate.connect(daemon.socket) as casemate,
        casemate.plugin("echo").stream("x", taken()) as stream,
    ):
        for word in (b"one", b"two", b"three"):
            await parts.put(word)
            assert await anext(stream) == word
        await parts.put(None)
        assert [piece async for piece in stream] == []


async def test_a_stream_that_is_left_is_cancelled(daemon: Daemon) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    async with Casemate.connect(daemon.socket) as casemate:
        echo = casemate.plugin("echo")
        async with echo.stream("x", endless()) as stream:
            await anext(stream)
            await until_busy(casemate, echo, 1)
        await until_busy(casemate, echo, 0)
        # Also one that is forgotten.
        stream = echo.stream("x", endless())
        await anext(stream)
        del stream
        await until_busy(casemate, echo, 0)


async def test_an_input_that_breaks_ends_the_stream(daemon: Daemon) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("no more")

    async with Casemate.connect(daemon.socket) as casemate:
        echo = casemate.plugin("echo")
        with pytest.raises(LookupError, match="no more"):
            async for _ in echo.stream("x", broken()):
                pass
        await until_busy(casemate, echo, 0)


async def test_the_failure_of_a_stream(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        with pytest.raises(Failure) as caught:
            async for _ in casemate.plugin("nobody").stream("x", [b"x"] * 1000):
                pass
        assert caught.value.code == "plugin.unknown"


# --- Host methods -----------------------------------------------------------------------------------------------------


async def test_a_host_method_answers_its_own_calls(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        seen: list[HostCall] = []

        @casemate.on("query:*")
        async def query(call: HostCall) -> object:
            seen.append(call)
            return {"echo": call.input}

        @casemate.on("query:sum")
        def add(call: HostCall) -> int:
            return sum(call.input)

        probe = casemate.plugin("probe")
        asked = {"method": "query:rows", "payload": [1, 2]}
        answer = await probe.call("host", asked, deadline=30, traceparent=TRACEPARENT, tracestate="vendor=value")
        assert answer == {"echo": [1, 2]}
        assert await probe.call("host", {"method": "query:sum", "payload": [1, 2]}) == 3
        (call,) = seen
        assert (call.plugin, call.method) == ("probe", "query:rows")
        assert 0 < call.deadline_ms <= 30_000
        assert call.trace.traceparent == TRACEPARENT
        assert call.trace.tracestate == "vendor=value"


async def test_a_call_within_a_host_method_goes_on_with_its_trace(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        traces: list[str] = []
        probe = casemate.plugin("probe")

        @casemate.on("query:outer")
        async def outer(call: HostCall) -> object:
            return await probe.call("host", {"method": "query:inner"})

        @casemate.on("query:inner")
        async def inner(call: HostCall) -> str:
            traces.append(call.trace.traceparent)
            return "inner"

        answer = await probe.call("host", {"method": "query:outer"}, traceparent=TRACEPARENT)
        assert answer == "inner"
        assert traces == [TRACEPARENT]


async def test_long_bodies_of_host_calls(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:

        @casemate.on("query:twice")
        def twice(call: HostCall) -> object:
            return call.input * 2

        text = "é" * (LONG // 2)
        answer = await casemate.plugin("probe").call("host", {"method": "query:twice", "payload": text})
        assert answer == text * 2


async def test_an_error_of_a_host_method(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:

        @casemate.on("query:busy")
        def busy(call: HostCall) -> None:
            raise HostError("busy", "try later", retryable=True)

        @casemate.on("query:broken")
        def broken(call: HostCall) -> None:
            raise LookupError("a secret of the host")

        probe = casemate.plugin("probe")
        with pytest.raises(Failure) as caught:
            await probe.call("host", {"method": "query:busy"})
        detail = caught.value.detail
        assert detail is not None
        assert (detail.subject, detail.retryable) == ("busy", True)
        assert "try later" in detail.words
        assert [(note.method, note.code) for note in caught.value.host_calls] == [("query:busy", "busy")]

        with pytest.raises(Failure) as caught:
            await probe.call("host", {"method": "query:broken"})
        assert caught.value.detail is not None
        assert caught.value.detail.subject == "internal"
        assert "secret" not in str(caught.value)


async def test_a_host_call_ends_with_its_call(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        asked, cancelled = asyncio.Event(), asyncio.Event()

        @casemate.on("query:wait")
        async def wait(call: HostCall) -> None:
            asked.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                assert call.cancelled
                cancelled.set()
                raise

        call = asyncio.create_task(casemate.plugin("probe").call("host", {"method": "query:wait"}))
        await asked.wait()
        call.cancel()
        await cancelled.wait()


async def test_plain_functions_do_not_wait_for_one_another(daemon: Daemon) -> None:
    at_once = 12
    together = threading.Barrier(at_once)

    async with Casemate.connect(daemon.socket) as casemate:

        @casemate.on("query:meet")
        def meet(call: HostCall) -> int:
            # Passes when all are here.
            return together.wait() * 0 + 1

        methods = ({"method": "query:meet"} for _ in range(at_once))
        probe = casemate.plugin("many")
        assert await asyncio.gather(*(probe.call("host", asked) for asked in methods)) == [1] * at_once


async def test_a_host_method_may_close_the_connection(daemon: Daemon) -> None:
    casemate = await Casemate.connect(daemon.socket)

    @casemate.on("query:close")
    async def close(call: HostCall) -> None:
        await casemate.close()

    with pytest.raises(ConnectionLost, match="closed here"):
        await casemate.plugin("probe").call("host", {"method": "query:close"})
    await casemate.close()


async def test_a_client_serves_the_calls_of_another(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as server, Casemate.connect(daemon.socket) as caller:

        async def answer(call: HostCall) -> str:
            return f"served {call.method}"

        await server.on("query:*", answer)
        probe = caller.plugin("probe")
        assert await probe.call("host", {"method": "query:x"}) == "served query:x"
        await server.off("query:*")
        with pytest.raises(Failure) as caught:
            await probe.call("host", {"method": "query:x"})
        assert [note.code for note in caught.value.host_calls] == ["not_found"]


# --- Events and log lines ---------------------------------------------------------------------------------------------


async def test_events_come_to_whoever_follows_them(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate, casemate.subscribe("content.**") as events:
        await casemate.publish("navigation.done", 1)
        await casemate.publish("content.new", {"id": 7})
        await casemate.publish("content.image.new", b"\x00")
        first, second = await anext(events), await anext(events)
        assert (first.topic, first.value, first.plugin) == ("content.new", {"id": 7}, "")
        assert (second.topic, second.value) == ("content.image.new", b"\x00")
        await events.aclose()
        assert [event async for event in events] == []


async def test_who_is_slow_learns_how_much_was_lost(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate, casemate.subscribe("many") as events:
        for number in range(1500):
            await casemate.publish("many", number)
        # Nothing is taken until the last one is here.
        assert events._channel is not None
        while not events._channel._items or events._channel._items[-1][1] != b"1499":
            await asyncio.sleep(0.01)
        taken = lost = 0
        async for event in events:
            taken += 1
            lost += event.dropped
            assert event.value == taken + lost - 1
            if event.value == 1499:
                break
        assert lost > 0


async def test_events_come_in_their_order(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate, casemate.subscribe("one") as events:
        for number in range(10):
            await casemate.publish("one", number)
        assert [(await anext(events)).value for _ in range(10)] == list(range(10))


async def test_lines_that_a_plugin_logs(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate, casemate.logs("probe", level=Level.WARN) as lines:
        probe = casemate.plugin("probe")
        await probe.call("log", {"level": "info", "text": "not this"})
        await probe.call("log", {"level": "error", "text": "größer"})
        line = await anext(lines)
        assert (line.plugin, line.level, line.text) == ("probe", Level.ERROR, "größer")


# --- What an operator does --------------------------------------------------------------------------------------------


async def test_a_plugin_is_loaded_and_closed(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        plugin = await casemate.load("extra", daemon.guests / "statistics.wasm")
        assert "extra" in [state.name for state in await casemate.plugins()]
        assert (await plugin.call("stats", {"numbers": [4]}))["sum"] == 4
        state = await plugin.reload((daemon.guests / "statistics.wasm").read_bytes())
        assert state.generation > 1
        await plugin.close()
        assert "extra" not in [state.name for state in await casemate.plugins()]


async def test_a_module_that_is_none(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        with pytest.raises(Failure) as caught:
            await casemate.load("none", b"no module")
        assert caught.value.code.startswith("module.")


async def test_a_plugin_is_started_and_ended(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        plugin = casemate.plugin("wordcount")
        assert (await plugin.info()).state == "running"
        assert (await plugin.disable()).state == "disabled"
        with pytest.raises(Failure) as caught:
            await plugin.call("count", "two words")
        assert caught.value.code == "plugin.disabled"
        assert (await plugin.enable()).state == "running"
        assert (await plugin.drain()).state == "stopped"
        assert (await plugin.enable()).state == "running"
        assert (await plugin.reset()).crashes == 0


async def test_the_configuration_names_a_plugins_module(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        plugin = casemate.plugin("wordcount")
        before = (await plugin.info()).generation
        assert (await plugin.reload()).generation > before
        await plugin.close()
        with pytest.raises(Failure) as caught:
            await plugin.call("count", "two words")
        assert caught.value.code == "plugin.unknown"
        assert await casemate.load("wordcount")
        assert (await plugin.info()).state == "running"
        with pytest.raises(Failure):
            await casemate.load("not_in_the_configuration")


async def test_a_certificate_says_what_stands(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        info = await casemate.plugin("stats").info()
        assert info.certificate is not None
        layers = {layer.name: layer.status for layer in info.certificate.layers}
        assert layers["seccomp"] is LayerStatus.OBSERVED
        assert info.report


async def test_a_configuration_is_kept_and_handed_on(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        probe = await casemate.load("configured", daemon.guests / "probe.wasm", config={"depth": 3})
        assert await probe.config() == await probe.call("config") == {"depth": 3}
        await probe.set_config({"depth": 4})
        assert await probe.config() == await probe.call("config") == {"depth": 4}
        with pytest.raises(TypeError, match="value of JSON"):
            await probe.set_config(b"4")
        await probe.close()


async def test_the_counters_count(daemon: Daemon) -> None:
    async with Casemate.connect(daemon.socket) as casemate:
        before = await casemate.stats()
        await casemate.plugin("probe").call("counter")
        after = await casemate.stats()
        assert after.calls > before.calls
        assert after.uptime_ms >= before.uptime_ms
        assert after.clients >= 1


async def test_the_configuration_is_read_anew(own_daemon: Daemon) -> None:
    async with Casemate.connect(own_daemon.socket) as casemate:
        text = own_daemon.configuration.read_text()
        own_daemon.configuration.write_text(text.replace('input = "4MiB"', 'input = "3MiB"'))
        changes = {change.plugin: change.what for change in await casemate.reload_policy()}
        assert changes["probe"] != "unchanged"
        assert changes["stats"] == "unchanged"
        own_daemon.configuration.write_text("version = 2")
        with pytest.raises(Failure) as caught:
            await casemate.reload_policy()
        assert caught.value.code.startswith("policy.")
