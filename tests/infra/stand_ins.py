"""Executables that stand in for docker and pulumi: they record how they are called and answer as told."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Call:
    """One call of a stand-in."""

    program: str
    arguments: list[str]
    details: dict[str, Any]

    def value(self, flag: str) -> str:
        return self.arguments[self.arguments.index(flag) + 1]


class StandIns:
    """docker and pulumi on PATH, as stand-ins; anything else of PATH stays."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = folder / "calls.jsonl"
        self.folder = folder / "bin"
        self.folder.mkdir()
        for name in ("docker", "pulumi"):
            program = self.folder / name
            source = Path(__file__).with_name(f"stand_in_{name}.py")
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{source}" "$@"\n')
            program.chmod(0o755)
        monkeypatch.setenv("STAND_IN_LOG", str(self.log))
        monkeypatch.setenv("PATH", f"{self.folder}{os.pathsep}{os.environ['PATH']}")

    def calls(self, program: str) -> list[Call]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        found = [json.loads(line) for line in lines]
        return [
            Call(each["program"], each["arguments"], each) for each in found if each["program"] == program
        ]
