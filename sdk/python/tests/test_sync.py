"""The same without asyncio: what differs is who waits."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from casemate import ConnectionLost, Failure, HostCall, Level, NotRunning
from casemate.sync import Casemate

from .conftest import Daemon


def test_calls(daemon: Daemon) -> None:
    with Casemate.connect(daemon.socket) as casemate:
        assert casemate.plugin("stats").call("stats", {"numbers": [1, 2]})["sum"] == 3
        assert casemate.plugin("probe").call_raw("echo", b"x" * 1_000_000).body == b"x" * 1_000_000
        with pytest.raises(Failure, match=r"plugin\.unknown"):
            casemate.plugin("nobody").call("x")


def test_calls_from_many_threads(daemon: Daemon) -> None:
    with Casemate.connect(daemon.socket) as casemate:
        sums: list[int] = []

        def add(number: int) -> None:
            sums.append(casemate.plugin("stats").call("stats", {"numbers": [number, number]})["sum"])

        threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(sums) == [2 * number for number in range(8)]


def test_a_stream(daemon: Daemon) -> None:
    def parts() -> Iterator[bytes]:
        for number in range(100):
            yield bytes([number]) * 10_000

    with Casemate.connect(daemon.socket) as casemate:
        with casemate.plugin("echo").stream("x", parts()) as stream:
            assert b"".join(stream) == b"".join(parts())
        with casemate.plugin("echo").stream("x", parts()) as stream:
            assert next(stream)


def test_a_host_method(daemon: Daemon) -> None:
    with Casemate.connect(daemon.socket) as casemate:
        probe = casemate.plugin("probe")

        @casemate.on("query:double")
        def double(call: HostCall) -> int:
            # Also a host method may call.
            return probe.call("host", {"method": "query:same", "payload": call.input}) * 2  # type: ignore[no-any-return]

        casemate.on("query:same", lambda call: call.input)
        assert probe.call("host", {"method": "query:double", "payload": 4}) == 8
        casemate.off("query:same")
        with pytest.raises(Failure):
            probe.call("host", {"method": "query:same", "payload": 4})


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Whoever starts the tests in the background has SIGINT ignored, and Python leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_cancels_what_is_waited_for(daemon: Daemon) -> None:
    ended = threading.Event()

    with Casemate.connect(daemon.socket) as casemate:

        @casemate.on("query:interrupt")
        def interrupt(call: HostCall) -> None:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            while not call.cancelled:
                time.sleep(0.01)
            ended.set()

        with pytest.raises(KeyboardInterrupt):
            casemate.plugin("probe").call("host", {"method": "query:interrupt"})
        assert ended.wait(60)
        assert casemate.plugin("probe").call("counter") == 1


def test_events_and_lines(daemon: Daemon) -> None:
    with Casemate.connect(daemon.socket) as casemate:
        with casemate.subscribe("content.*") as events:
            casemate.publish("content.new", 1)
            event = next(events)
            assert (event.topic, event.value) == ("content.new", 1)
        assert list(events) == []
        with casemate.logs(level=Level.WARN) as lines:
            casemate.plugin("probe").call("log", {"level": "warn", "text": "a line"})
            assert next(lines).text == "a line"


def test_what_an_operator_does(daemon: Daemon) -> None:
    with Casemate.connect(daemon.socket) as casemate:
        plugin = casemate.load("extra", daemon.guests / "probe.wasm", config={"depth": 1})
        assert plugin.config() == {"depth": 1}
        plugin.set_config({"depth": 2})
        assert plugin.call("config") == {"depth": 2}
        assert plugin.disable().state == "disabled"
        assert plugin.enable().state == "running"
        assert plugin.reset().crashes == 0
        assert plugin.drain().state == "stopped"
        assert plugin.enable().state == "running"
        assert plugin.reload((daemon.guests / "probe.wasm").read_bytes()).generation > 0
        assert plugin.info().certificate is not None
        assert "extra" in [state.name for state in casemate.plugins()]
        plugin.close()
        assert {change.what for change in casemate.reload_policy()} == {"unchanged"}
        assert casemate.stats().calls > 0


def test_what_is_over_says_so(daemon: Daemon) -> None:
    with pytest.raises(NotRunning, match=r"nowhere\.sock"):
        Casemate.connect(daemon.socket.with_name("nowhere.sock"))
    casemate = Casemate.connect(daemon.socket)
    casemate.close()
    casemate.close()
    with pytest.raises(ConnectionLost, match="closed here"):
        casemate.plugins()
