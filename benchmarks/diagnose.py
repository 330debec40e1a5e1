"""The guide by hand against `./inv diagnose`, on the same healthy stack, in turn (DESIGN section 10).

    python -m benchmarks.diagnose [ROUNDS]

By hand: the guide's 24 commands that look, one after another, with the real AWS CLI and curl. Against it: one
cold `./inv diagnose --format json`, from the shell to the end of the process. Both see the same local region,
which answers faster than AWS does: that favours whoever asks one thing after another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.rows import Row
from benchmarks.rows import report as rows
from local.testing import LocalRegion
from outpost.exit_codes import Verdict
from tests.guide import test_commands as commands
from tests.guide.conftest import GUIDE_HOST

GOAL = 10.0  # times faster
ROOT = Path(__file__).parents[1]
BY_HAND = (
    commands.HEALTH,
    commands.FLEET,
    commands.SERVICE_STATUS,
    commands.TASK_STATUS,
    commands.STOPPED_REASON,
    commands.LATENCY,
    commands.SERVICE_EVENTS,
    commands.QUOTA,
    commands.TASK_LOGS,
    commands.DURATION,
    commands.OUTPUT,
    commands.KEY_BY_PREFIX,
    commands.KEY_SCOPES,
    commands.THROTTLING,
    commands.BUCKET_POLICY,
    commands.ROLE_POLICY,
    commands.MOUNT_TARGETS,
    commands.NFS_RULES,
    commands.MEMORY,
    commands.LIST_TASKS,
    commands.DESCRIBE_TASK,
    commands.FAILED_JOBS,
    commands.ONE_JOB,
    commands.ERRORS,
)


def _placeholders(region: LocalRegion) -> dict[str, str]:
    """What the reader fills in, where it has to exist; a dispatch that is not found costs as much."""
    tasks = region.client("ecs").list_tasks(cluster="outpost-dev")["taskArns"]
    systems = region.client("efs").describe_file_systems()["FileSystems"]
    named = [{"Name": "group-name", "Values": ["outpost-efs-dev"]}]
    groups = region.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]
    return {
        "YOUR_KEY": region.api_key,
        "TASK_ARN": tasks[0],
        "fs-XXXXXX": systems[0]["FileSystemId"],
        "sg-XXXXXX": groups[0]["GroupId"],
        "otp_abcd...": region.api_key,
        GUIDE_HOST: region.api_url,
        "| jq .": "| cat",
        "--query 'tasks[0]": "--output json --query 'tasks[0]",
    }


def by_hand(region: LocalRegion) -> float:
    """Seconds for all commands, one after another. Raises `RuntimeError` when one fails: it did less."""
    environment = _environment(region)
    scripts = list(BY_HAND)
    for placeholder, value in _placeholders(region).items():
        scripts = [script.replace(placeholder, value) for script in scripts]
    begun = time.perf_counter()
    for script in scripts:
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{script!r} ended with {done.returncode}: {done.stderr[-500:]}")
    return time.perf_counter() - begun


def diagnosed(region: LocalRegion) -> tuple[float, dict[str, object]]:
    """Seconds for one cold run, and its report. Raises `RuntimeError` when the stack is not healthy."""
    begun = time.perf_counter()
    done = subprocess.run(
        ["./inv", "diagnose", "--format", "json"],
        env=_environment(region),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    elapsed = time.perf_counter() - begun
    if done.returncode != Verdict.HEALTHY:
        raise RuntimeError(
            f"diagnose ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-500:]}"
        )
    return elapsed, json.loads(done.stdout)


def _environment(region: LocalRegion) -> dict[str, str]:
    environment = region.environment
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return environment


def main(rounds: int) -> int:
    """Print both medians and their ratio; 0 when the goal is reached."""
    with tempfile.TemporaryDirectory() as directory, LocalRegion.start(Path(directory)) as region:
        diagnosed(region)  # compiles what was never imported
        hands: list[float] = []
        runs: list[float] = []
        report: dict[str, object] = {}
        for number in range(1, rounds + 1):
            hands.append(by_hand(region))
            seconds, report = diagnosed(region)
            runs.append(seconds)
            print(
                f"round {number}: {len(BY_HAND)} commands by hand {hands[-1]:.2f} s, diagnose {seconds:.2f} s"
            )
    ratio = median(hands) / median(runs)
    print(f"AWS reads of one diagnosis: {report['calls']}")
    print(f"median: by hand {median(hands):.2f} s, diagnose {median(runs):.2f} s")
    hand = f"{median(hands):.1f} s"
    row = Row(
        name="full diagnose, times faster than by hand",
        peer=hand,
        goal=GOAL,
        measured=ratio,
        unit="times",
        at_least=True,
    )
    return rows([row])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
