"""Storing what a worker leaves: as long as the store is away, but not for ever against a refusal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.stub import TOKEN, StubControlPlane
from worker import artifacts
from worker.artifacts import UploadError, upload
from worker.control import ControlPlane
from worker.stopping import Patience


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two artifacts; and no time is lost between tries."""
    monkeypatch.setattr(artifacts, "PAUSE", 0.001)
    monkeypatch.setattr(artifacts, "LONGEST_PAUSE", 0.001)
    (tmp_path / "output.log").write_text("a line\n")
    (tmp_path / "result.json").write_text("{}\n")
    return tmp_path


@pytest.fixture
def control() -> Iterator[StubControlPlane]:
    stub = StubControlPlane({})
    yield stub
    stub.close()


def stored(control: StubControlPlane, out: Path, patience: float = 30) -> list[str]:
    files = upload(ControlPlane(control.url, TOKEN), out, patience=Patience(patience), say=lambda _: None)
    return [file.name for file in files]


def test_a_store_that_is_away_is_waited_for(control: StubControlPlane, out: Path) -> None:
    tries: list[str] = []

    def away(path: str) -> tuple[int, dict[str, Any]] | None:
        tries.append(path)
        return (503, {}) if path == "/put/output.log" and tries.count(path) <= 12 else None

    control.answer = away
    assert stored(control, out) == ["output.log", "result.json"]
    assert tries.count("/put/output.log") == 13
    assert tries.count("/put/result.json") == 1


def test_it_is_not_waited_for_longer_than_there_is_time(control: StubControlPlane, out: Path) -> None:
    control.answer = lambda path: (503, {}) if path.startswith("/put") else None
    with pytest.raises(UploadError, match="HTTP 503") as raised:
        stored(control, out, patience=0.1)
    assert not raised.value.denied


@pytest.mark.parametrize(("status", "tries"), [(400, artifacts.REFUSED_TRIES), (403, 1)])
def test_what_is_refused_is_not_tried_for_ever(
    control: StubControlPlane, out: Path, status: int, tries: int
) -> None:
    control.answer = lambda path: (status, {}) if path.startswith("/put") else None
    with pytest.raises(UploadError) as raised:
        stored(control, out)
    assert raised.value.denied == (status == 403)
    assert control.seen.count("/worker/uploads") == tries


def test_a_link_in_place_of_a_file_is_not_followed(
    control: StubControlPlane, out: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("the worker may read this\n")
    (out / "output.log").unlink()
    (out / "output.log").symlink_to(secret)
    (out / "changes.patch").mkdir()
    (out / "manifest.json").symlink_to(secret)
    artifacts.write_manifest(out, "01J", 1)
    assert stored(control, out) == ["result.json", "manifest.json"]
    assert secret.read_text() == "the worker may read this\n"
    assert all(b"may read" not in content for content in control.stored.values())
