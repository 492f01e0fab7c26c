"""What the package promises beside its behaviour: names, generated code, types, and a README that is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import casemate
import casemate.sync

from .conftest import Daemon

PACKAGE = Path(__file__).resolve().parents[1]
README = (PACKAGE / "README.md").read_text()


def operations() -> list[tuple[str, str]]:
    """The operations of PROTOCOL.md, each with its Python method."""
    text = (PACKAGE.parents[1] / "protocol" / "PROTOCOL.md").read_text()
    _, _, section = text.partition("### Operations")
    table = section.partition("\n###")[0]
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    operation, python = header.index("operation"), header.index("Python")
    return [(row[operation], row[python].strip("`")) for row in rows]


def test_the_table_was_found() -> None:
    assert len(operations()) > 20


@pytest.mark.parametrize("module", [casemate, casemate.sync], ids=["asyncio", "sync"])
@pytest.mark.parametrize(("operation", "method"), operations())
def test_every_operation_has_its_method(operation: str, method: str, module: object) -> None:
    owner, _, name = method.partition(".")
    found = getattr(getattr(module, owner), name)
    assert callable(found), operation
    assert found.__doc__


def test_the_generated_code_is_of_this_proto(tmp_path: Path) -> None:
    proto = PACKAGE.parents[1] / "protocol" / "proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={proto}"]
    command += [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", "casemate.proto"]
    subprocess.run(command, check=True)
    for name in ("casemate_pb2.py", "casemate_pb2.pyi"):
        ours = (PACKAGE / "src" / "casemate" / name).read_text()
        assert ours == (tmp_path / name).read_text(), f"{name} is of another casemate.proto: README.md, 'Working on it'"


def test_types_are_strict() -> None:
    subprocess.run([sys.executable, "-m", "mypy"], cwd=PACKAGE, check=True)


def test_the_source_is_tidy() -> None:
    subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=PACKAGE, check=True)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--check", "."], cwd=PACKAGE, check=True)


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_the_examples_of_the_readme_run(example: str, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEMATE_SOCKET", str(daemon.socket))
    monkeypatch.chdir(daemon.guests)
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
