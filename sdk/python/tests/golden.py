"""The reviewed bytes of protocol/golden/client.txt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from casemate.frames import End

FILE = Path(__file__).resolve().parents[3] / "protocol" / "golden" / "client.txt"


@dataclass
class Vector:
    """What the file has under one name."""

    name: str
    sender: End
    refused: str | None
    hexadecimal: str = ""

    @property
    def bytes(self) -> bytes:
        return bytes.fromhex(self.hexadecimal)


def read() -> dict[str, Vector]:
    vectors: dict[str, Vector] = {}
    for line in FILE.read_text().splitlines():
        mark, _, rest = line.partition(" ")
        if mark in ("==", "!!"):
            name, sender, third, *_ = (part.strip() for part in rest.split("|"))
            assert name not in vectors, f"{name} is there twice"
            vectors[name] = Vector(name, End(sender), third if mark == "!!" else None)
        else:
            digits = line.partition("#")[0].strip()
            if digits:
                vectors[list(vectors)[-1]].hexadecimal += digits + " "
    return vectors
