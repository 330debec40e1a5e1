"""`./inv bench` tells what was measured, and never success for what was missed or did not finish."""

import sys
from pathlib import Path

import pytest
from invoke import Context, Exit

from benchmarks import tasks
from benchmarks.rows import COLLECTED, Row, table

KEPT = Row(name="calls", peer="14", goal=2, measured=2, unit="calls")
MISSED = Row(name="start", peer="0.3", goal=1.5, measured=1.6, unit="s")
FASTER = Row(name="ratio", peer="1", goal=10, measured=9.9, unit="times", at_least=True)


def test_a_goal_is_kept_when_it_is_reached() -> None:
    assert (KEPT.kept, MISSED.kept, FASTER.kept) == (True, False, False)


def test_the_table_says_what_is_not_kept() -> None:
    shown = table([KEPT, MISSED, FASTER]).splitlines()
    assert [line.endswith("NOT KEPT") for line in shown[1:4]] == [False, True, True]
    assert shown[-1] == "1 of 3 promises kept"


def program(directory: Path, name: str, body: str) -> str:
    """A benchmark that is started as the others are."""
    (directory / f"{name}.py").write_text(
        f"import sys; sys.path[:0] = {sys.path!r}\nfrom benchmarks.rows import Row, report\n{body}\n"
    )
    return name


def run(monkeypatch: pytest.MonkeyPatch, directory: Path, only: str = "", **bodies: str) -> str:
    """The message with which `bench` ends; "" for success."""
    monkeypatch.chdir(directory)
    monkeypatch.delenv(COLLECTED, raising=False)
    known = {name: program(directory, f"stand_in_{name}", body) for name, body in bodies.items()}
    monkeypatch.setattr(tasks, "BENCHMARKS", known)
    try:
        tasks.bench.body(Context(), only=only)
    except Exit as end:
        return f"{end.code}: {end.message}"
    return ""


REPORTS = "sys.exit(report([Row(name='x', peer='', goal=2, measured={}, unit='')]))"


GOOD, BAD = REPORTS.format(1), REPORTS.format(3)
LATE = f"{GOOD.replace('sys.exit', '')}; sys.exit(3)"


@pytest.mark.parametrize(
    ("bodies", "message"),
    [
        ({"good": GOOD}, ""),
        ({"good": GOOD, "bad": BAD}, "1: bench: not kept: x"),
        ({"good": GOOD, "broken": "raise RuntimeError"}, "1: bench: not kept: broken did not finish"),
        ({"silent": "sys.exit(0)"}, "1: bench: not kept: silent did not finish"),
        ({"late": LATE}, "1: bench: not kept: late did not finish"),
    ],
)
def test_what_bench_ends_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bodies: dict[str, str], message: str
) -> None:
    assert run(monkeypatch, tmp_path, **bodies) == message


def test_only_one_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bodies = {"good": GOOD, "bad": BAD}
    assert run(monkeypatch, tmp_path, only="good", **bodies) == ""
    assert run(monkeypatch, tmp_path, only="bad", **bodies) == "1: bench: not kept: x"
    assert run(monkeypatch, tmp_path, only="none", **bodies).startswith(
        "2: bench: there is no benchmark 'none'"
    )
