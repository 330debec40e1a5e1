"""git as promoting runs it."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from service import git


def test_a_remote_that_hangs_ends_with_the_timeout_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like git's helper for https: a child that keeps the pipes open after git itself is gone."""
    stand_in = tmp_path / "bin" / "git"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!/bin/sh\nsleep 20 & echo $! > {tmp_path}/pid\nwait\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:/usr/bin:/bin")
    monkeypatch.setattr(git, "TIMEOUT", 0.5)
    begun = time.monotonic()
    with pytest.raises(git.GitError, match="took over"):
        git.Git(tmp_path, "https://example.com/a/b.git", None, local=False)
    assert time.monotonic() - begun < 10
    child = Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    end = time.monotonic() + 5
    while child.exists() and child.read_text().split()[2] != "Z":
        assert time.monotonic() < end, "the helper still runs"
        time.sleep(0.02)


def test_words_that_are_no_utf8_do_not_hide_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "bin" / "git"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\nprintf 'fatal: \\377' >&2\nexit 128\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:/usr/bin:/bin")
    with pytest.raises(git.GitError, match="fatal: "):
        git.Git(tmp_path, "https://example.com/a/b.git", None, local=False)


def test_an_object_that_unpacks_to_more_than_memory_ends_its_git_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit whose message is as large as the bound, in a bundle of some hundred kilobytes."""
    monkeypatch.setattr(git, "MEMORY_MIB", 64)
    work, scratch = tmp_path / "work", tmp_path / "scratch"
    scratch.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}

    def run(*arguments: str, given: str = "") -> str:
        command = ["git", "-C", str(work), *arguments]
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    work.mkdir()
    run("init", "-q")
    tree = run("mktree")
    person = "t <t@localhost> 1 +0000"
    head = f"tree {tree}\nauthor {person}\ncommitter {person}\n\n"
    bomb = run("hash-object", "-w", "-t", "commit", "--stdin", given=head + "a" * (64 << 20))
    run("update-ref", "refs/outpost/bomb", bomb)
    run("bundle", "create", "-q", str(tmp_path / "bundle"), "refs/outpost/bomb")
    run("update-ref", "-d", "refs/outpost/bomb")
    assert (tmp_path / "bundle").stat().st_size < 1 << 20
    remote = git.Git(scratch, f"file://{work}", None, local=True)
    with pytest.raises(git.GitError):
        remote.fetch_bundle(tmp_path / "bundle")
