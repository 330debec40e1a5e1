"""Promoting, against a real bare repository and a stub of GitHub's API."""

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock, patch

import pytest
from starlette.testclient import TestClient

from outpost.agents import Agent
from outpost.dispatch import Status
from outpost.errors import OutpostError
from service.application import promoting
from service.domain.job import Inputs, Job
from service.domain.keys import Limits
from service.domain.ports import Acceptance
from service.git import Git
from service.routers.promotion import WAITING
from tests.service.harness import OneAtATime, World, make_world

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    done = subprocess.run(
        ["git", "-C", str(directory), *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@dataclass
class StubHub:
    """GitHub's API over the bare repository: refs, and pull requests that it remembers."""

    bare: Path
    pulls: list[dict[str, object]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if "/git/ref/heads/" in path:
            branch = path.rpartition("/git/ref/heads/")[2]
            try:
                commit = git(self.bare, "rev-parse", "--verify", f"refs/heads/{branch}")
            except subprocess.CalledProcessError:
                return 404, {}
            return 200, {"object": {"sha": commit}}
        if method == "POST":
            wanted = json.loads(body)
            if any(pull["head"] == wanted["head"] for pull in self.pulls):
                return 422, {"message": "A pull request already exists"}
            made = {**wanted, "number": len(self.pulls) + 1, "html_url": "https://github.test/pull/1"}
            self.pulls.append(made)
            return 201, made
        return 200, self.pulls


@dataclass
class Hosted:
    """The stack, a repository on the stub GitHub, and the key of a tenant that may use it."""

    world: World
    http: TestClient
    bare: Path
    hub: StubHub
    key: dict[str, str]

    def promote(self, **body: object):
        return self.http.post("/promote", json={"dispatchId": ID, **body}, headers=self.key)

    def heads(self) -> dict[str, str]:
        lines = git(self.bare, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        return dict(line.split() for line in lines.splitlines())


@pytest.fixture
def hosted(aws: tuple[str, OneAtATime], tmp_path: Path) -> Iterator[Hosted]:
    bare = tmp_path / "hub" / "acme" / "site.git"
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    (work / "README.md").write_text("hello\n")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "first")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(bare))
    (work / "NEW.md").write_text("new\n")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "the agent's")
    git(work, "update-ref", f"refs/outpost/{ID}", "HEAD")
    bundle = tmp_path / "changes.bundle"
    git(work, "bundle", "create", "-q", str(bundle), f"refs/outpost/{ID}", "^HEAD~1")
    hub = StubHub(bare)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def answer(self) -> None:
            hub.tokens.add(self.headers["Authorization"])
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, document = hub.answer(self.command, self.path.partition("?")[0], body)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world = make_world(
        *aws,
        local_region=True,
        github_url=f"file://{tmp_path / 'hub'}",
        github_api_url=f"http://127.0.0.1:{server.server_port}",
    )
    _secret(world)
    _completed(world, bundle.read_bytes())
    key = {"X-API-Key": world.key("acme", "promote")}
    with world.http() as http:
        yield Hosted(world, http, bare, hub, key)
    server.shutdown()


def _secret(world: World) -> None:
    value = json.dumps({"tenants": {"acme": {"token": "t0ken", "repositories": ["acme/*"]}}})
    secrets = world.boto("secretsmanager")
    try:
        secrets.create_secret(Name="outpost/github", SecretString=value)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId="outpost/github", SecretString=value)


def _completed(world: World, bundle: bytes) -> None:
    job = Job(
        tenant_id="acme",
        dispatch_id=ID,
        agent=Agent.CLAUDE,
        created_at=1.0,
        timeout_seconds=60,
        repository="acme/site",
        git_access=True,
        task_preview="add a file",
        status=Status.COMPLETED,
        artifacts=[
            {"name": "changes.bundle", "size": len(bundle), "sha256": hashlib.sha256(bundle).hexdigest()}
        ],
    )
    world.services.dispatches.store.accept(
        Acceptance(job=job, inputs=Inputs(task="t"), limits=Limits(), now=world.services.clock())
    )
    world.boto("s3").put_object(
        Bucket=world.settings.artifacts_bucket, Key=f"{ID}/changes.bundle", Body=bundle
    )


def test_a_branch_with_the_verified_commit_and_the_same_answer_again(hosted: Hosted) -> None:
    first = hosted.promote(branch="outpost/one")
    assert first.status_code == 200, first.text
    assert hosted.heads()["outpost/one"] == first.json()["commit"]
    assert git(hosted.bare, "show", "outpost/one:NEW.md") == "new"
    assert hosted.promote(branch="outpost/one").json() == first.json()
    assert hosted.hub.tokens == {"Bearer t0ken"}


def test_a_pull_request_is_made_once(hosted: Hosted) -> None:
    answers = [hosted.promote(branch="outpost/one", pullRequest=True).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["pullRequest"]["number"] == 1
    assert len(hosted.hub.pulls) == 1
    assert hosted.hub.pulls[0]["base"] == "main"


def test_an_existing_branch_is_never_moved(hosted: Hosted) -> None:
    git(hosted.bare, "branch", "taken", "main")
    before = hosted.heads()
    answer = hosted.promote(branch="taken")
    assert (answer.status_code, answer.json()["code"]) == (409, "branch-exists")
    assert hosted.promote(branch="main").json()["code"] == "branch-is-base"
    assert hosted.heads() == before


def test_a_bundle_that_is_not_the_reported_one_is_refused(hosted: Hosted) -> None:
    hosted.world.boto("s3").put_object(
        Bucket=hosted.world.settings.artifacts_bucket, Key=f"{ID}/changes.bundle", Body=b"something else"
    )
    assert hosted.promote(branch="outpost/one").json()["code"] == "artifact-altered"
    assert list(hosted.heads()) == ["main"]


def test_a_tenant_without_a_token_for_the_repository_cannot_promote(hosted: Hosted) -> None:
    value = json.dumps({"tenants": {"acme": {"token": "t0ken", "repositories": ["acme/other"]}}})
    hosted.world.boto("secretsmanager").put_secret_value(SecretId="outpost/github", SecretString=value)
    answer = hosted.promote(branch="outpost/one")
    assert (answer.status_code, answer.json()["code"]) == (409, "no-git-access")


def test_a_bundle_larger_than_a_replica_can_hold_is_not_read(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promoting, "MAX_BUNDLE", 100)
    answer = hosted.promote(branch="outpost/one")
    assert (answer.status_code, answer.json()["code"]) == (409, "bundle-too-large")


def test_a_bundle_that_outgrew_its_report_is_read_up_to_the_bound(hosted: Hosted) -> None:
    read = Mock(return_value=b"x")
    with patch.object(hosted.world.services.artifacts, "read", read):
        assert hosted.promote(branch="outpost/one").json()["code"] == "artifact-altered"
    read.assert_called_once_with(f"{ID}/changes.bundle", limit=promoting.MAX_BUNDLE)


def test_promotions_that_hang_leave_threads_and_turns_to_others(hosted: Hosted) -> None:
    running, other, free = threading.Semaphore(0), threading.Event(), threading.Event()
    theirs = {"X-API-Key": hosted.world.key("other", "promote")}

    def hang(tenant: str, *_: object) -> dict[str, object]:
        if tenant == "other":
            other.set()
        else:
            running.release()
            free.wait(30)
        return {"branch": "outpost/one", "base": "main", "commit": "c", "at": "now"}

    with patch.object(hosted.world.services.promoting, "promote", hang), ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(hosted.promote) for _ in range(30)]
        assert running.acquire(timeout=10)
        pool.submit(lambda: hosted.http.post("/promote", json={"dispatchId": ID}, headers=theirs))
        assert other.wait(10), "another tenant waits behind thirty that hang"
        health = hosted.http.get("/health").status_code
        further = running.acquire(timeout=0.3)
        free.set()
        codes = [each.result().status_code for each in answers]
    assert (health, further) == (200, False)
    assert codes.count(200) == WAITING + 1
    assert codes.count(429) == 30 - WAITING - 1


def test_of_two_branches_at_once_one_is_made(hosted: Hosted) -> None:
    """Two replicas: neither knows of the other's turn."""
    promote, meet = hosted.world.services.promoting.promote, threading.Barrier(2)
    fetch_bundle = Git.fetch_bundle

    def together(git: Git, bundle: Path) -> str:
        commit = fetch_bundle(git, bundle)
        meet.wait(30)
        return commit

    def ask(branch: str) -> str:
        try:
            return str(promote("acme", ID, promoting.PromotionRequest(branch=branch))["branch"])
        except OutpostError as error:
            return error.code

    with patch.object(Git, "fetch_bundle", together), ThreadPoolExecutor(2) as pool:
        told = list(pool.map(ask, ("outpost/one", "outpost/two")))
    assert "already-promoted" in told
    assert len(hosted.heads()) == 2  # main, and the one


def test_the_same_branch_twice_at_once_is_one_answer(hosted: Hosted) -> None:
    promote, meet = hosted.world.services.promoting.promote, threading.Barrier(2)
    push_new = Git.push_new

    def together(git: Git, commit: str, branch: str) -> None:
        meet.wait(30)
        push_new(git, commit, branch)

    def ask(_: int) -> object:
        return promote("acme", ID, promoting.PromotionRequest(branch="outpost/one"))["commit"]

    with patch.object(Git, "push_new", together), ThreadPoolExecutor(2) as pool:
        commits = list(pool.map(ask, range(2)))
    assert commits == [hosted.heads()["outpost/one"]] * 2


def test_after_a_branch_that_was_taken_another_may_be_chosen(hosted: Hosted) -> None:
    git(hosted.bare, "branch", "taken", "main")
    assert hosted.promote(branch="taken").json()["code"] == "branch-exists"
    assert hosted.promote(branch="outpost/one").status_code == 200


def test_what_a_replica_left_half_done_is_taken_up(hosted: Hosted) -> None:
    with patch.object(Git, "push_new", Mock(side_effect=KeyboardInterrupt)), pytest.raises(KeyboardInterrupt):
        hosted.world.services.promoting.promote("acme", ID, promoting.PromotionRequest(branch="outpost/one"))
    assert hosted.promote(branch="outpost/two").json()["code"] == "already-promoted"
    assert hosted.promote(branch="outpost/one").status_code == 200


@pytest.mark.parametrize("name", ["--upload-pack=x", "../x", "a..b", "x.lock", "x y", "refs/x:refs/y", "x\n"])
def test_a_name_that_git_would_read_otherwise_is_refused(hosted: Hosted, name: str) -> None:
    for field_name in ("branch", "base"):
        assert hosted.promote(**{field_name: name}).status_code == 422
    assert list(hosted.heads()) == ["main"]
