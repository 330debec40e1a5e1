"""Workspaces by id: a directory of their own below the tenant's mount, one dispatch at a time."""

from pathlib import Path

import pytest

from tests.worker.conftest import StartWorker

ONE, OTHER = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01BX5ZZKBKACTAV9WEVGEMMVRZ"
NOTES = "repositories/*/repository/OUTPOST-REHEARSAL.md"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    path = tmp_path / "mount"
    path.mkdir()
    return path


@pytest.mark.parametrize("cloned", [True, False], ids=["repository", "none"])
def test_each_keeps_its_own_files(start: StartWorker, mount: Path, cloned: bool) -> None:
    environment = {"OUTPOST_WORKSPACE_DIR": str(mount)}
    given = {} if cloned else {"repository": None}
    for workspace_id in (ONE, OTHER, ONE):
        worker = start(workspace="persistent", workspaceId=workspace_id, env=environment, **given)
        assert worker.wait() == 0, worker.log
        assert worker.result["changes"]["files"] == 1
    lines = {
        each: len(next((mount / "workspaces" / each).glob(NOTES)).read_text().splitlines())
        for each in (ONE, OTHER)
    }
    assert lines == {ONE: 2, OTHER: 1}


def test_one_dispatch_at_a_time_whatever_it_clones(start: StartWorker, mount: Path) -> None:
    environment = {"OUTPOST_WORKSPACE_DIR": str(mount)}
    common = {"workspace": "persistent", "workspaceId": ONE, "env": environment}
    first = start(task="rehearse: sleep 2", **common)
    first.wait_for("tool work")
    second = start(task="Two.", repository=None, **common)
    elsewhere = start(task="Three.", **{**common, "workspaceId": OTHER})
    second.wait_for("waiting for another dispatch")
    assert elsewhere.wait() == 0, elsewhere.log
    assert "waiting for another dispatch" not in elsewhere.log
    assert first.wait() == 0, first.log
    assert second.wait() == 0, second.log


@pytest.mark.parametrize("linked", ["workspaces", f"workspaces/{ONE}", f"workspaces/{ONE}/repositories"])
def test_a_link_in_place_of_a_directory_is_refused(
    start: StartWorker, mount: Path, tmp_path: Path, linked: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = mount / linked
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    worker = start(workspace="persistent", workspaceId=ONE, env={"OUTPOST_WORKSPACE_DIR": str(mount)})
    assert worker.wait() == 1, worker.log
    assert "replaced by a link" in worker.log
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("odd", ["../../x", "..", "/etc", "", ONE.lower(), f"{ONE}/..", f"{ONE}\n", 7])
def test_what_is_no_id_names_no_directory(start: StartWorker, mount: Path, odd: object) -> None:
    worker = start(workspace="persistent", workspaceId=odd, env={"OUTPOST_WORKSPACE_DIR": str(mount)})
    assert worker.wait() != 0, worker.log
    assert "assignment cannot be read" in worker.log
    assert list(mount.iterdir()) == []
