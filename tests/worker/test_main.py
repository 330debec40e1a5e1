"""The whole worker, as a process, against a real repository."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.worker.conftest import StartWorker, git
from tests.worker.stub import POOL_TOKEN, TOKEN

FAST = "agent-fails-immediately"


def messages(log: bytes, stream: str = "") -> str:
    lines = [json.loads(line) for line in log.decode().splitlines()]
    return "\n".join(line["message"] for line in lines if stream in ("", line["stream"]))


def test_a_dispatch_ends_well_with_its_artifacts(
    start: StartWorker, repository: Path, tmp_path: Path
) -> None:
    worker = start(task="Add a line.", context="The project is small.")
    assert worker.wait() == 0, worker.log
    assert worker.result["exitCode"] == 0
    assert worker.result["reason"] is None
    assert worker.result["changes"] == {"files": 1, "insertions": 1, "deletions": 0, "commits": 0}
    assert list(worker.stored) == [
        "output.log",
        "changes.patch",
        "changes.bundle",
        "result.json",
        "manifest.json",
    ]
    manifest = json.loads(worker.stored["manifest.json"])
    for file in manifest["files"]:
        content = worker.stored[file["name"]]
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
    lines = [json.loads(line) for line in worker.stored["output.log"].decode().splitlines()]
    assert {line["dispatchId"] for line in lines} == {worker.control.assignment["dispatchId"]}
    assert "rehearsal" in messages(worker.stored["output.log"], "agent")
    assert worker.stored["output.log"].decode() == worker.log

    (tmp_path / "patch").write_bytes(worker.stored["changes.patch"])
    git(repository, "apply", "--check", str(tmp_path / "patch"))
    (tmp_path / "bundle").write_bytes(worker.stored["changes.bundle"])
    git(repository, "fetch", "--quiet", str(tmp_path / "bundle"), "refs/outpost/*:refs/outpost/*")
    tip = f"refs/outpost/{worker.control.assignment['dispatchId']}"
    assert git(repository, "log", "--format=%s", tip, "-1").startswith("Changes of Outpost dispatch")
    assert "OUTPOST-REHEARSAL.md" in git(repository, "ls-tree", "--name-only", tip)


def test_the_agents_own_commits_are_in_the_bundle(
    start: StartWorker, repository: Path, tmp_path: Path
) -> None:
    worker = start(task="rehearse: commit")
    assert worker.wait() == 0, worker.log
    assert worker.result["changes"]["commits"] == 1
    assert worker.result["changes"]["files"] == 2
    (tmp_path / "bundle").write_bytes(worker.stored["changes.bundle"])
    git(repository, "fetch", "--quiet", str(tmp_path / "bundle"), "refs/outpost/*:refs/outpost/*")
    tip = f"refs/outpost/{worker.control.assignment['dispatchId']}"
    assert git(repository, "log", "--format=%s", f"main..{tip}").splitlines()[1] == "Rehearse a commit"


def test_the_asked_branch_is_cloned(start: StartWorker) -> None:
    worker = start(branch="feature")
    assert worker.wait() == 0, worker.log
    assert (worker.directory / "dispatch/repository/feature.txt").exists()


@pytest.mark.parametrize(
    ("assignment", "environment", "code", "issue", "cause", "said"),
    [
        ({}, {"ANTHROPIC_API_KEY": ""}, 1, FAST, "api-key-missing", "ANTHROPIC_API_KEY not set"),
        ({"repository": "/no/such/repository"}, {}, 1, FAST, "repository-not-found", "fatal: "),
        ({"branch": "no-such"}, {}, 1, "agent-no-changes", "wrong-branch", "Remote branch no-such not found"),
        ({"repository": "ext::sh -c id"}, {}, 1, FAST, "repository-not-found", "may clone"),
        ({"task": "rehearse: fail 3"}, {}, 1, "", "", "exit code 3"),
        ({"task": "rehearse: crash"}, {}, 139, "", "", "segmentation fault"),
        ({"task": "rehearse: no-changes"}, {}, 0, "agent-no-changes", "", "0 files"),
        ({"workspace": "persistent"}, {}, 1, "", "", "Workspace not available"),
    ],
)  # fmt: skip
def test_how_it_ends_tells_why(
    start: StartWorker,
    assignment: dict[str, Any],
    environment: dict[str, str],
    code: int,
    issue: str,
    cause: str,
    said: str,
) -> None:
    worker = start(env=environment, **assignment)
    assert worker.wait() == code, worker.log
    assert worker.result["exitCode"] == code
    assert (worker.result["reason"]["issue"], worker.result["reason"]["cause"]) == (issue, cause)
    assert said in messages(worker.stored["output.log"])
    assert {"output.log", "result.json", "manifest.json"} <= set(worker.stored)


def test_the_timeout_ends_the_agent_and_keeps_its_work(start: StartWorker) -> None:
    worker = start(task="rehearse: commit\nrehearse: sleep 60", timeoutSeconds=5)
    began = time.monotonic()
    assert worker.wait() == 124, worker.log
    assert time.monotonic() - began < 40  # not the 60 that the agent wanted
    assert worker.result["reason"]["issue"] == "agent-timeout"
    assert worker.result["changes"]["commits"] == 1
    assert "changes.bundle" in worker.stored


def test_a_stop_ends_the_agent_and_keeps_its_work(start: StartWorker) -> None:
    worker = start(task="rehearse: commit\nrehearse: sleep 60")
    worker.wait_for("tool work")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.wait() == 143, worker.log
    assert worker.result["exitCode"] == 143
    assert {"changes.patch", "output.log"} <= set(worker.stored)


def test_a_cancelled_dispatch_ends_as_a_stop(start: StartWorker) -> None:
    worker = start(
        task="rehearse: sleep 60",
        answer=lambda path: (409, {"code": "dispatch-cancelling"}) if path == "/worker/result" else None,
    )
    worker.wait_for("tool work")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.wait() == 143, worker.log
    assert "output.log" in worker.stored


def test_a_stop_while_it_waits_for_an_assignment(start: StartWorker) -> None:
    worker = start(answer=lambda path: (503, {}))
    worker.wait_until(lambda: "/worker/claim" in worker.control.seen)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 143, worker.log


def test_an_agent_over_its_memory_is_ended(start: StartWorker) -> None:
    worker = start(task="rehearse: memory 400", env={"OUTPOST_MEMORY_MIB": "256"})
    assert worker.wait() == 137, worker.log
    assert worker.result["reason"]["code"] == "out-of-memory"
    assert worker.result["reason"]["cause"] == "flagship-undersized"
    assert "output.log" in worker.stored


def test_nothing_that_the_agent_started_outlives_it(start: StartWorker) -> None:
    worker = start(task="rehearse: orphan")
    assert worker.wait() == 0, worker.log
    daemon = worker.log.partition("tool daemon: ")[2].partition('"')[0]
    assert daemon.isdigit()
    assert not Path(f"/proc/{daemon}").exists()


def test_an_agent_that_ignores_sigterm_is_killed(start: StartWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = start(task="rehearse: stubborn\nrehearse: sleep 60", timeoutSeconds=1)
    assert worker.wait() == 124, worker.log


def test_a_restarting_control_plane_is_waited_for(start: StartWorker) -> None:
    tries: list[str] = []

    def flaky(path: str) -> tuple[int, dict[str, Any]] | None:
        tries.append(path)
        return (502, {}) if tries.count(path) <= 2 and not path.startswith("/put") else None

    worker = start(answer=flaky)
    assert worker.wait() == 0, worker.log
    assert tries.count("/worker/claim") == 3
    assert worker.control.results == 1


@pytest.mark.parametrize("route", ["/worker/claim", "/worker/uploads", "/worker/result"])
def test_a_fenced_attempt_writes_no_more(start: StartWorker, route: str) -> None:
    worker = start(answer=lambda path: (409, {"code": "fenced", "detail": "old"}) if path == route else None)
    assert worker.wait() == 77, worker.log
    assert worker.control.results == 0


POOL = {"OUTPOST_DISPATCH_ID": "", "OUTPOST_POOL_SLOT": "01JSLOT", "OUTPOST_WORKER_TOKEN": POOL_TOKEN}


def test_an_idle_worker_leases_one_dispatch_and_exits(start: StartWorker) -> None:
    worker = start(env=POOL)
    assert worker.wait() == 0, worker.log
    assert (worker.control.leases, worker.control.claims, worker.control.results) == (3, 0, 1)
    assert worker.result["changes"]["files"] == 1
    lines = [json.loads(line) for line in worker.stored["output.log"].decode().splitlines()]
    assert {line["dispatchId"] for line in lines} == {worker.control.assignment["dispatchId"]}


def test_an_idle_worker_that_is_not_wanted_ends_well(start: StartWorker) -> None:
    worker = start(env=POOL, answer=lambda path: (410, {"code": "slot-expired"}))
    assert worker.wait() == 0, worker.log


def test_an_idle_worker_can_be_stopped(start: StartWorker) -> None:
    worker = start(env=POOL, answer=lambda path: (503, {}) if path == "/worker/lease" else None)
    worker.wait_until(lambda: "/worker/lease" in worker.control.seen)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 143, worker.log


def test_a_result_that_cannot_be_read_is_reported_in_short(start: StartWorker) -> None:
    tries: list[str] = []

    def picky(path: str) -> tuple[int, dict[str, Any]] | None:
        tries.append(path)
        refused = path == "/worker/result" and tries.count(path) == 1
        return (422, {"code": "invalid-request", "detail": "summary: too long"}) if refused else None

    worker = start(answer=picky)
    assert worker.wait() == 0, worker.log
    assert worker.result == {"exitCode": 0}


def test_denied_uploads_fail_the_dispatch(start: StartWorker) -> None:
    worker = start(answer=lambda path: (403, {}) if path.startswith("/put") else None)
    assert worker.wait() == 1, worker.log
    assert worker.result["reason"]["issue"] == "s3-access-denied"
    assert "Access Denied" in worker.log


def test_a_failing_upload_is_tried_again(start: StartWorker) -> None:
    tries: list[str] = []

    def flaky(path: str) -> tuple[int, dict[str, Any]] | None:
        tries.append(path)
        return (503, {}) if path == "/put/changes.patch" and tries.count(path) == 1 else None

    worker = start(answer=flaky)
    assert worker.wait() == 0, worker.log
    assert "changes.patch" in worker.stored
    assert tries.count("/put/output.log") == 1


def test_a_missing_setting_is_named(start: StartWorker) -> None:
    worker = start(env={"OUTPOST_CONTROL_URL": ""})
    assert worker.wait() == 1
    assert json.loads(worker.log)["message"].startswith("OUTPOST_CONTROL_URL not set")


def open_to_all(tmp_path: Path) -> None:
    """pytest's directories are closed to other users, such as the agent's."""
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_mode & 0o005 != 0o005:
            directory.chmod(0o755)


def stand_in(directory: Path, name: str, script: str) -> str:
    """A binary of this name in front of PATH."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


def test_the_agent_gets_its_key_and_nothing_else(start: StartWorker, tmp_path: Path) -> None:
    open_to_all(tmp_path)
    path = stand_in(tmp_path / "bin", "claude", "env; cat; cat /proc/$PPID/environ && echo LEAKED; :")
    worker = start(
        task="The task's text.",
        env={
            "PATH": path,
            "OUTPOST_AGENT_USER": "nobody",
            "OUTPOST_REAL_AGENT": "1",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/credentials",
            "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4",
        },
        gitToken="token-for-git-567890",
    )
    assert worker.wait() == 0, worker.log
    said = messages(worker.stored["output.log"], "agent")
    assert "The task's text." in said
    assert "ANTHROPIC_API_KEY=[redacted]" in said
    for hidden in ("LEAKED", "AWS_", "ECS_", "OUTPOST_WORKER_TOKEN", "OUTPOST_CONTROL_URL", "OPENAI_API_KEY"):
        assert hidden not in said
    for secret in (TOKEN, "token-for-git-567890", "key-of-the-agent-1234"):
        assert all(secret.encode() not in content for content in worker.stored.values())
        assert secret not in worker.log


def test_secrets_are_redacted_in_the_result(start: StartWorker, tmp_path: Path) -> None:
    path = stand_in(tmp_path / "bin", "aider", 'echo "my key is $DEEPSEEK_API_KEY"; exit 1')
    worker = start(agent="aider", env={"PATH": path, "OUTPOST_REAL_AGENT": "1"})
    assert worker.wait() == 1
    assert worker.result["summary"] == "my key is [redacted]"


def test_an_agent_that_destroys_the_repository_fails(start: StartWorker, tmp_path: Path) -> None:
    path = stand_in(tmp_path / "bin", "claude", "rm -rf .git; echo done")
    worker = start(env={"PATH": path, "OUTPOST_REAL_AGENT": "1"})
    assert worker.wait() == 1
    assert worker.result["reason"]["code"] == "changes-not-collected"


def test_hooks_and_filters_of_the_agent_gain_nothing(start: StartWorker, tmp_path: Path) -> None:
    script = """
echo '*.txt filter=evil' > .gitattributes
git config filter.evil.clean 'env > /tmp/'$$'.env; cp /tmp/'$$'.env ../scratch/seen; cat'
echo x > new.txt
"""
    path = stand_in(tmp_path / "bin", "claude", script)
    worker = start(env={"PATH": path, "OUTPOST_REAL_AGENT": "1"}, gitToken="token-for-git-567890")
    assert worker.wait() == 0, worker.log
    seen = (worker.directory / "dispatch/scratch/seen").read_text()
    assert "token-for-git" not in seen
    assert TOKEN not in seen
    assert "key-of-the-agent" not in seen


def test_untracked_binary_and_deleted_files_are_in_the_patch(
    start: StartWorker, repository: Path, tmp_path: Path
) -> None:
    script = "rm README.md; printf '\\000\\001\\377' > logo.bin; mkdir d; echo new > 'd/a file ü.txt'"
    path = stand_in(tmp_path / "bin", "claude", script)
    worker = start(env={"PATH": path, "OUTPOST_REAL_AGENT": "1"})
    assert worker.wait() == 0, worker.log
    assert worker.result["changes"]["files"] == 3
    (tmp_path / "patch").write_bytes(worker.stored["changes.patch"])
    git(repository, "apply", str(tmp_path / "patch"))
    assert (repository / "logo.bin").read_bytes() == b"\x00\x01\xff"
    assert (repository / "d/a file ü.txt").read_text() == "new\n"
    assert not (repository / "README.md").exists()


def test_what_no_encoding_takes_does_not_end_the_worker(start: StartWorker, tmp_path: Path) -> None:
    event = r'{"type":"assistant","message":{"content":[{"type":"text","text":"half \ud800 done"}]}}'
    path = stand_in(tmp_path / "bin", "claude", f"echo '{event}'; printf '\\377\\376\\n'; echo x > new.txt")
    worker = start(env={"PATH": path, "OUTPOST_REAL_AGENT": "1"}, task="with a half \ud800 too")
    assert worker.wait() == 0, worker.log
    assert "half ? done" in messages(worker.stored["output.log"], "agent")
    json.dumps(worker.result, ensure_ascii=False).encode()


def test_a_defect_is_reported_and_what_there_is_saved(start: StartWorker) -> None:
    worker = start(branch="a\0b")  # which no program can be given
    assert worker.wait() == 1, worker.log
    assert "null byte" in worker.result["summary"]
    assert "output.log" in worker.stored


def test_a_repository_without_commits(start: StartWorker, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "--quiet")
    worker = start(repository=str(empty))
    assert worker.wait() == 0, worker.log
    assert worker.result["changes"]["files"] == 1
    assert "changes.bundle" in worker.stored


def test_a_dispatch_without_a_repository(start: StartWorker) -> None:
    worker = start(repository=None, rehearsal="rehearsal")
    assert worker.wait() == 0, worker.log
    assert worker.result["changes"]["files"] == 1


def test_a_task_of_fifty_thousand_characters(start: StartWorker) -> None:
    worker = start(task="ü" * 50_000)
    assert worker.wait() == 0, worker.log
    assert (worker.directory / "dispatch/task/task.md").read_text() == "ü" * 50_000


def test_a_persistent_workspace_is_kept(start: StartWorker, repository: Path, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    environment = {"OUTPOST_WORKSPACE_DIR": str(mount)}
    first = start(task="One.", workspace="persistent", env=environment)
    assert first.wait() == 0, first.log
    (repository / "later.txt").write_text("pushed in between\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "Later")
    second = start(task="Two.", workspace="persistent", env=environment)
    assert second.wait() == 0, second.log
    kept = next(mount.glob("repositories/*/repository"))
    assert len((kept / "OUTPOST-REHEARSAL.md").read_text().splitlines()) == 2
    assert (kept / "later.txt").exists()
    assert second.result["changes"] == {"files": 1, "insertions": 1, "deletions": 0, "commits": 0}


def test_two_dispatches_share_a_workspace_one_after_the_other(start: StartWorker, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    environment = {"OUTPOST_WORKSPACE_DIR": str(mount)}
    first = start(task="rehearse: sleep 2", workspace="persistent", env=environment)
    first.wait_for("tool work")
    second = start(task="Two.", workspace="persistent", env=environment)
    second.wait_for("waiting for another dispatch")
    assert first.wait() == 0, first.log
    assert second.wait() == 0, second.log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the agent a user of its own")
def test_root_runs_the_agent_as_another_user(start: StartWorker, tmp_path: Path) -> None:
    open_to_all(tmp_path)
    path = stand_in(
        tmp_path / "bin",
        "claude",
        "id -un; id -Gn; git log --format=%s -1; echo x >> README.md; mv ../task ../out .. && echo MOVED; :",
    )
    worker = start(env={"PATH": path, "OUTPOST_REAL_AGENT": "1", "OUTPOST_AGENT_USER": "nobody"})
    assert worker.wait() == 0, worker.log
    said = messages(worker.stored["output.log"], "agent").splitlines()
    assert said[:3] == ["nobody", "nogroup", "Start"]
    assert "MOVED" not in said
    assert worker.result["changes"]["files"] == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could run the agent as root")
def test_root_runs_no_real_agent_without_a_user_for_it(start: StartWorker) -> None:
    worker = start(env={"OUTPOST_LOCAL_REGION": "", "OUTPOST_AGENT_USER": "no-such-user"})
    assert worker.wait() == 1
    assert "no user 'no-such-user'" in worker.log
    assert worker.control.claims == 0


def test_outside_of_the_local_region_there_is_no_rehearsal_and_no_local_repository(
    start: StartWorker,
) -> None:
    worker = start(env={"OUTPOST_LOCAL_REGION": "", "OUTPOST_AGENT_USER": "nobody"})
    assert worker.wait() == 1, worker.log
    assert "may clone" in worker.log
    assert "rehearsal" not in worker.log
