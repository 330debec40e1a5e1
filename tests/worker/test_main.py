"""The whole worker, as a process, against a real repository."""

import hashlib
import json
from pathlib import Path

from tests.worker.conftest import StartWorker, git


def test_a_dispatch_ends_well_with_its_artifacts(
    start: StartWorker, repository: Path, tmp_path: Path
) -> None:
    worker = start(task="Add a line.", context="The project is small.")
    assert worker.wait() == 0, worker.log
    assert worker.result["exitCode"] == 0
    assert worker.result["reason"] is None
    assert worker.result["changes"] == {"files": 1, "insertions": 1, "deletions": 0, "commits": 0}
    assert set(worker.stored) == {
        "output.log",
        "changes.patch",
        "changes.bundle",
        "result.json",
        "manifest.json",
    }
    manifest = json.loads(worker.stored["manifest.json"])
    for file in manifest["files"]:
        content = worker.stored[file["name"]]
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
    lines = [json.loads(line) for line in worker.stored["output.log"].decode().splitlines()]
    assert {line["dispatchId"] for line in lines} == {worker.control.assignment["dispatchId"]}
    assert any("rehearsal" in line["message"] for line in lines if line["stream"] == "agent")

    (tmp_path / "p").write_bytes(worker.stored["changes.patch"])
    git(repository, "apply", "--check", str(tmp_path / "p"))
    (tmp_path / "b").write_bytes(worker.stored["changes.bundle"])
    git(repository, "fetch", "--quiet", str(tmp_path / "b"), "refs/outpost/*:refs/outpost/*")
    tip = f"refs/outpost/{worker.control.assignment['dispatchId']}"
    assert git(repository, "log", "--format=%s", tip, "-1").startswith("Changes of Outpost dispatch")
    assert "OUTPOST-REHEARSAL.md" in git(repository, "ls-tree", "--name-only", tip)
