"""Waivers: shown, not counted, and only with a reason and until their day."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from outpost.errors import OutpostError
from runbooks.run import diagnose
from runbooks.waivers import load
from tests.runbooks.world import NOW, World, target

CAUSE = "slow-responses/cold-connections"
TODAY = NOW.date()


def _file(path: Path, **changes: str) -> Path:
    entry = {"cause": CAUSE, "reason": "the vendor fixes it", "expires": TODAY.isoformat()} | changes
    path.write_text(json.dumps([{name: value for name, value in entry.items() if value != "-"}]))
    return path


def test_a_waived_cause_is_told_and_does_not_count(world: World, tmp_path: Path) -> None:
    world.idle_timeout = "300"
    assert diagnose(target(), world).exit_code == 3
    report = diagnose(target(), world, waivers=load(_file(tmp_path / "w.json")))
    assert (report.exit_code, report.findings) == (0, ())
    assert report.notes == (f"{CAUSE} waived until {TODAY}: the vendor fixes it",)


def test_an_expired_waiver_does_nothing_but_say_so(world: World, tmp_path: Path) -> None:
    world.idle_timeout = "300"
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    report = diagnose(target(), world, waivers=load(_file(tmp_path / "w.json", expires=yesterday)))
    assert report.exit_code == 3
    assert report.notes[0].startswith(f"expired on {yesterday}")


def test_a_waiver_is_of_its_stack(world: World, tmp_path: Path) -> None:
    world.idle_timeout = "300"
    assert diagnose(target(), world, waivers=load(_file(tmp_path / "w.json", stack="prod"))).exit_code == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": " "}, "without a reason"),
        ({"reason": "-"}, "reason"),
        ({"expires": "-"}, "expires"),
        ({"expires": "soon"}, "soon"),
        ({"cause": "slow-responses/unheard-of"}, "no cause"),
    ],
)
def test_a_wrong_waiver_is_refused(tmp_path: Path, change: dict[str, str], said: str) -> None:
    with pytest.raises(OutpostError, match=said):
        load(_file(tmp_path / "w.json", **change))


def test_no_file_is_no_waiver(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == ()
