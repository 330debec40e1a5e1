"""aider: the task as a message file, every question answered yes, plain text out.

It would commit each edit by itself and keep its history in the repository; both are switched off, so that
the patch holds what the task asked for. Without a model it is DeepSeek's, whose key this agent has.
"""

from outpost.agents import Agent
from worker.agents.base import Adapter, Invocation, Job, Reader

DEFAULT_MODEL = "deepseek/deepseek-chat"


def _invocation(job: Job) -> Invocation:
    return Invocation(
        argv=(
            "aider",
            "--message-file",
            str(job.prompt),
            "--model",
            job.model or DEFAULT_MODEL,
            "--yes-always",
            "--no-auto-commits",
            "--no-dirty-commits",
            "--no-gitignore",
            "--no-pretty",
            "--no-stream",
            "--no-fancy-input",
            "--no-check-update",
            "--no-show-release-notes",
            "--no-show-model-warnings",
            "--no-detect-urls",
            "--no-suggest-shell-commands",
            "--analytics-disable",
            "--disable-playwright",
            "--chat-history-file",
            str(job.home / "aider.chat.md"),
            "--input-history-file",
            str(job.home / "aider.input"),
        ),
        environment={"DEEPSEEK_API_KEY": job.api_key},
    )


def _is_error(line: str) -> bool:
    """aider ends with exit code 0 also when the model could not be called; it names LiteLLM's exception."""
    return line.startswith("litellm.") and "Error" in line.partition(":")[0]


AIDER = Adapter(
    agent=Agent.AIDER,
    executable="aider",
    invocation=_invocation,
    reader=lambda: Reader(is_error=_is_error),
)
