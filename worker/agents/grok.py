"""Grok: `grok --prompt-file`, tool calls approved, plain text out."""

from outpost.agents import Agent
from worker.agents.base import Adapter, Invocation, Job


def _invocation(job: Job) -> Invocation:
    return Invocation(
        argv=(
            "grok",
            "--prompt-file",
            str(job.prompt),
            "--no-auto-update",
            "--always-approve",
            "--output-format",
            "plain",
            *(("--model", job.model) if job.model else ()),
        ),
        environment={"XAI_API_KEY": job.api_key},
    )


GROK = Adapter(agent=Agent.GROK, executable="grok", invocation=_invocation)
