"""The adapters' flags against the real command lines, where they are installed.

They are not installed for the tests: five CLIs are some 700 MB. To run this, install them as the images do
(`npm ci` in images/AGENT, and aider from its lock file) and put them on PATH.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from outpost.agents import Agent
from worker.agents import ADAPTERS, Job

HELP = {Agent.CODEX: ("exec", "--help")}
# Accepted, but not in the help: hidden by the CLI, and documented for scripts at docs.x.ai.
HIDDEN = {"--no-auto-update"}


@pytest.mark.parametrize(
    "agent",
    [
        pytest.param(
            agent,
            marks=pytest.mark.skipif(
                shutil.which(ADAPTERS[agent].executable) is None,
                reason=f"the real {agent} CLI is not installed (see the head of this file)",
            ),
        )
        for agent in Agent
    ],
)
def test_the_real_cli_knows_every_flag(agent: Agent, tmp_path: Path) -> None:
    job = Job(prompt=tmp_path / "prompt.md", home=tmp_path, model="m", api_key="k")
    call = ADAPTERS[agent].invocation(job)
    executable = shutil.which(call.argv[0])
    assert executable
    shown = subprocess.run(
        [executable, *HELP.get(agent, ("--help",))],
        cwd=tmp_path,
        env={"PATH": str(Path(executable).parent) + ":/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    known = set(re.findall(r"--[a-z][a-z-]+", shown.stdout))
    asked = {word for word in call.argv if word.startswith("--")}
    assert asked - known - HIDDEN == set()
