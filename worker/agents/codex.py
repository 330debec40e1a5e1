"""OpenAI Codex: `codex exec --json -`, the task on standard input.

Its own sandbox is switched off: it needs kernel features that a Fargate task does not have, and the
container is the sandbox. `codex exec` takes the key from CODEX_API_KEY.
"""

from typing import Any

from outpost.agents import Agent
from worker.agents.base import Adapter, Invocation, Job, Reader, brief


def _invocation(job: Job) -> Invocation:
    return Invocation(
        argv=(
            "codex",
            "exec",
            "--json",
            "--color",
            "never",
            "--ephemeral",
            "--skip-git-repo-check",
            "--dangerously-bypass-approvals-and-sandbox",
            *(("--model", job.model) if job.model else ()),
            "-",
        ),
        environment={
            "CODEX_API_KEY": job.api_key,
            "OPENAI_API_KEY": job.api_key,
        },
        stdin=job.prompt,
    )


def _events(reader: Reader, event: dict[str, Any]) -> list[str]:
    match event.get("type"):
        case "item.started" if event["item"].get("type") == "command_execution":
            return [f"tool shell: {brief(event['item'].get('command', ''))}"]
        case "item.completed":
            return _item(reader, event["item"])
        case "turn.completed":
            usage = event.get("usage") or {}
            return [f"done: {usage.get('input_tokens', 0)} tokens in, {usage.get('output_tokens', 0)} out"]
        case "turn.failed":
            return reader.fail((event.get("error") or {}).get("message") or event)
        case "error" if str(event.get("message")).startswith("Reconnecting"):
            return [f"warning: {event['message']}"]
        case "error":
            return reader.fail(event.get("message") or event)
    return []


def _item(reader: Reader, item: dict[str, Any]) -> list[str]:
    match item.get("type"):
        case "agent_message":
            reader.conclude(item.get("text"))
            return [str(item.get("text", ""))]
        case "reasoning":
            return [str(item.get("text", ""))]
        case "command_execution":
            failed = item.get("exit_code") not in (0, None)
            label = f"tool error (exit code {item.get('exit_code')})" if failed else "tool result"
            return [f"{label}: {brief(item.get('aggregated_output', ''))}"]
        case "file_change":
            return [f"tool edit: {brief([change.get('path') for change in item.get('changes', [])])}"]
        case "error":  # as an item it is a remark: the turn goes on
            return [f"warning: {item.get('message')}"]
    return []


CODEX = Adapter(
    agent=Agent.CODEX, executable="codex", invocation=_invocation, reader=lambda: Reader(events=_events)
)
