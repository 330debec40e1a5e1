"""`./inv demo`: the whole story in a region of its own, from deployment to a fault found and mended."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from local.testing import LocalRegion
from outpost.dispatch import Status
from outpost.errors import OutpostError
from outpost.exit_codes import Verdict
from outpost.names import NFS_PORT, Names

ROOT = Path(__file__).resolve().parents[1]
FAULT = ("efs-mount-failure", "nfs-blocked")
TASK = "Add a line about this project to its notes."
DISPATCH_WITHIN = 30.0  # seconds
POLL = 0.1
REQUEST_TIMEOUT = 15.0


class DemoFailed(OutpostError):  # noqa: N818 - it is the demo's outcome
    """A step of the demo did not show what it should."""


@dataclass
class Steps:
    """Numbered steps with their times, said as they go and summed up at the end."""

    say: Callable[[str], None]
    done: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.say(f"\n{len(self.done) + 1}. {title}")
        began = time.monotonic()
        yield
        self.done.append((title, time.monotonic() - began))

    def summary(self) -> None:
        self.say("\nAll of it happened:")
        for title, seconds in self.done:
            self.say(f"   {seconds:5.1f} s  {title}")
        self.say(f"   {sum(seconds for _, seconds in self.done):5.1f} s  in all")


def run(say: Callable[[str], None]) -> None:
    """Show it all, and take the region down whatever happens. Raises `OutpostError` for what did not work."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    directory = Path(tempfile.mkdtemp(prefix="outpost-demo-"))
    region: LocalRegion | None = None
    steps = Steps(say)
    try:
        with steps.step("Deploy the Pulumi program into a local region, and start the control plane"):
            region = LocalRegion.start(directory / "region")
            say(f"   the API answers at {region.api_url}, AWS at {region.aws_url}")
        _tell(steps, region, directory)
        steps.summary()
    finally:
        if region:
            region.stop()
        shutil.rmtree(directory, ignore_errors=True)
        signal.signal(signal.SIGTERM, previous)
        say("\nThe region is down; nothing is left running.")


def _tell(steps: Steps, region: LocalRegion, directory: Path) -> None:
    say = steps.say
    with steps.step("Dispatch an agent on a git repository"):
        repository = _make_repository(directory / "project")
        job = _call(
            region, "POST", "/dispatch", {"agent": "claude", "task": TASK, "repository": str(repository)}
        )
        dispatch = str(job["dispatchId"])
        say(f"   202 Accepted: dispatch {dispatch}; its log as it comes:")
        status = _follow(region, dispatch, say)
        if status != Status.COMPLETED:
            raise DemoFailed("dispatch-failed", f"The dispatch ended {status}: {_reason(region, dispatch)}")
        say(f"   {status}")
    with steps.step("Fetch the patch and apply it"):
        patch = _download(region, dispatch, "changes.patch")
        _git(repository, "apply", stdin=patch)
        say("".join(f"   {line}\n" for line in patch.decode().splitlines()).rstrip())
    with steps.step("Break something: revoke the rule that lets workers reach their file system"):
        _revoke_nfs(region)
        say(f"   aws ec2 revoke-security-group-ingress ... port {NFS_PORT}")
    with steps.step("Ask what is wrong: ./inv diagnose"):
        _expect_fault(_diagnose(region, say, code=Verdict.FAILING), say)
    with steps.step("Mend it: ./inv diagnose --fix --yes"):
        _diagnose(region, say, "--fix", "--yes", code=Verdict.HEALTHY)
    with steps.step("Look again: ./inv diagnose"):
        report = _diagnose(region, say, code=Verdict.HEALTHY)
        if report["findings"]:
            raise DemoFailed("not-healthy", f"The second look still finds {report['findings']}.")


def _make_repository(path: Path) -> Path:
    path.mkdir()
    (path / "README.md").write_text("# A project\n\nSomething that an agent may change.\n", encoding="utf-8")
    _git(path, "init", "--quiet", "--initial-branch", "main")
    _git(path, "add", ".")
    _git(path, "-c", "user.name=Demo", "-c", "user.email=demo@localhost", "commit", "--quiet", "-m", "Start")
    return path


def _git(directory: Path, *arguments: str, stdin: bytes = b"") -> None:
    done = subprocess.run(["git", *arguments], cwd=directory, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise DemoFailed("git-failed", f"git {' '.join(arguments)}: {done.stderr.decode().strip()}")


def _call(region: LocalRegion, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - the region's own address
        region.api_url + path,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"X-API-Key": region.api_key, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT) as answer:  # noqa: S310
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        words = error.read().decode(errors="replace")
        raise DemoFailed("request-failed", f"{method} {path} answered {error.code}: {words}") from error


def _follow(region: LocalRegion, dispatch: str, say: Callable[[str], None]) -> str:
    """Say the log's lines until the dispatch has ended; its status."""
    give_up = time.monotonic() + DISPATCH_WITHIN
    cursor, status, ended_at = "", "", 0.0
    while time.monotonic() < give_up:
        page = _call(region, "GET", f"/dispatch/{dispatch}/logs" + (f"?cursor={cursor}" if cursor else ""))
        for line in page["lines"]:
            say(f"     {line['stream']:>6} | {line['message']}")
        cursor, status = page.get("cursor") or cursor, str(page["status"])
        if page["complete"]:
            return status
        if Status(status).terminal and not page["lines"]:
            # The last lines can come after the last state; a moment without any is the end.
            ended_at = ended_at or time.monotonic()
            if time.monotonic() - ended_at > 1:
                return status
        time.sleep(POLL)
    raise DemoFailed("dispatch-too-slow", f"The dispatch is still {status} after {DISPATCH_WITHIN:.0f} s.")


def _reason(region: LocalRegion, dispatch: str) -> str:
    reason = _call(region, "GET", f"/dispatch/{dispatch}").get("reason") or {}
    return f"{reason.get('summary', 'no reason given')} {reason.get('remedy', '')}".strip()


def _download(region: LocalRegion, dispatch: str, name: str) -> bytes:
    artifacts = _call(region, "GET", f"/dispatch/{dispatch}/artifacts")["artifacts"]
    urls = [artifact["url"] for artifact in artifacts if artifact["name"] == name]
    if not urls:
        raise DemoFailed("artifact-missing", f"The dispatch left no {name}.")
    with urllib.request.urlopen(urls[0], timeout=REQUEST_TIMEOUT) as answer:  # noqa: S310
        return bytes(answer.read())


def _revoke_nfs(region: LocalRegion) -> None:
    """Revoke every rule that opens NFS on the file system's security group, as a person would."""
    ec2 = region.client("ec2")
    name = Names(region.stack).file_system_security_group
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])[
        "SecurityGroups"
    ]
    rules = ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [groups[0]["GroupId"]]}]
    )
    opening = [
        rule["SecurityGroupRuleId"]
        for rule in rules["SecurityGroupRules"]
        if not rule["IsEgress"] and rule.get("FromPort") == NFS_PORT
    ]
    ec2.revoke_security_group_ingress(GroupId=groups[0]["GroupId"], SecurityGroupRuleIds=opening)


def _diagnose(region: LocalRegion, say: Callable[[str], None], *flags: str, code: Verdict) -> dict[str, Any]:
    """Run the real task as a person would; its report. Raises `DemoFailed` for another exit code."""
    command = [sys.executable, "-m", "invoke", "diagnose", "--format", "json", *flags]
    done = subprocess.run(
        command, cwd=ROOT, env=region.environment, capture_output=True, text=True, check=False
    )
    if done.returncode != code:
        raise DemoFailed(
            "unexpected-verdict",
            f"diagnose {' '.join(flags)} ended with exit code {done.returncode}, expected {int(code)}.\n"
            f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}",
        )
    for line in done.stderr.splitlines():
        say(f"   {line}")
    return dict(json.loads(done.stdout))


def _expect_fault(report: dict[str, Any], say: Callable[[str], None]) -> None:
    first = report["findings"][0]
    if (first["issue"], first["cause"]) != FAULT:
        raise DemoFailed("wrong-cause", f"diagnose ranks {first['issue']}/{first['cause']} first.")
    say(f"   {first['verdict']} {first['issue']}/{first['cause']}: {first['summary']}")
    for evidence in first["evidence"]:
        say(f"     {evidence['source']} {evidence['resource']}: {evidence['saw']}")
        say(f"     expected: {evidence['expected']}")
    say(f"   {first['solution']}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
