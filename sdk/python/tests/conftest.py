"""The real daemon for the tests that want one, and tests that are coroutines.

| variable | is |
|---|---|
| `CASEMATE_COMMAND` | the built `casemate` command |
| `CASEMATE_GUESTS` | the folder of the built guests |
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from casemate import NotRunning
from casemate.sync import Casemate

# Not asserted: where something hangs, this is where the run goes on.
HANGS_AFTER_SECONDS = 60.0

CONFIGURATION = """
version = 1

[plugins.probe]
path = "{guests}/probe.wasm"

[plugins.probe.permissions]
host = ["query:*"]

[plugins.probe.limits]
input = "4MiB"
output = "4MiB"

[plugins.many]
path = "{guests}/probe.wasm"
instances = {{ max = 12 }}

[plugins.many.permissions]
host = ["query:*"]

[plugins.echo]
path = "{guests}/wat/stream_echo.wasm"

[plugins.wordcount]
path = "{guests}/wordcount.wasm"

[plugins.stats]
path = "{guests}/statistics.wasm"
"""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine on a loop of its own."""
    test: Callable[..., object] = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run() -> None:
        async with asyncio.timeout(HANGS_AFTER_SECONDS):
            await test(**arguments)

    asyncio.run(run())
    return True


@dataclass
class Daemon:
    """A daemon that runs, and where."""

    process: subprocess.Popen[bytes]
    socket: Path
    configuration: Path
    guests: Path

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(HANGS_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def start(folder: Path) -> Daemon:
    """Starts a daemon with its files in this folder, and waits until it listens."""
    guests = variable("CASEMATE_GUESTS", "the folder of the built guests (`cargo xtask guests`)")
    command = variable("CASEMATE_COMMAND", "the built command (`cargo build --package casemate-cli`)")
    configuration, socket, log = folder / "casemate.toml", folder / "c.sock", folder / "log"
    configuration.write_text(CONFIGURATION.format(guests=guests))
    arguments: list[str | Path] = ["serve", "--config", configuration, "--socket", socket]
    arguments += ["--cache-dir", folder / "cache", "--state-dir", folder / "state"]
    with log.open("wb") as output:
        process = subprocess.Popen([command, *arguments], stderr=output, stdin=subprocess.DEVNULL)
    daemon = Daemon(process, socket, configuration, guests)
    gives_up_at = time.monotonic() + HANGS_AFTER_SECONDS
    while True:
        try:
            Casemate.connect(socket).close()
            return daemon
        except NotRunning:
            if process.poll() is not None or time.monotonic() > gives_up_at:
                process.kill()
                process.wait()
                pytest.fail(f"the daemon does not listen; it said:\n{log.read_text()}")
            time.sleep(0.02)


def variable(name: str, what: str) -> Path:
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: it is {what}; `cargo xtask test python` sets it")
    return Path(value).resolve()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="casemate-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """The daemon that a file of tests shares."""
    with tempfile.TemporaryDirectory(prefix="casemate-") as name:
        daemon = start(Path(name))
        yield daemon
        daemon.stop()


@pytest.fixture
def own_daemon(folder: Path) -> Iterator[Daemon]:
    """A daemon that the test may stop."""
    daemon = start(folder)
    yield daemon
    if daemon.process.poll() is None:
        daemon.stop()
