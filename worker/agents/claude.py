"""Claude Code: `claude -p`, the task on standard input, one JSON event a line (stream-json needs --verbose).

It refuses --dangerously-skip-permissions as root; the container is its sandbox and its user is not root.
"""

from typing import Any

from outpost.agents import Agent
from worker.agents.base import Adapter, Invocation, Job, Reader, brief


def _invocation(job: Job) -> Invocation:
    return Invocation(
        argv=(
            "claude",
            "--print",
            "--output-format",
            "stream-json",
            "--verbose",
            "--dangerously-skip-permissions",
            "--no-session-persistence",
            *(("--model", job.model) if job.model else ()),
        ),
        environment={
            "ANTHROPIC_API_KEY": job.api_key,
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
        stdin=job.prompt,
    )


def _events(reader: Reader, event: dict[str, Any]) -> list[str]:
    match event.get("type"):
        case "system" if event.get("subtype") == "init":
            return [f"model {event.get('model')}"]
        case "system" if event.get("subtype") == "api_retry":
            tries = f"attempt {event.get('attempt')} of {event.get('max_retries')}"
            return [f"API Error: {event.get('error_status')} {event.get('error')}, retrying ({tries})"]
        case "assistant" | "user":
            content = event["message"]["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            return [line for part in parts for line in _part(part)]
        case "result":
            reader.conclude(event.get("result"))
            if event.get("is_error"):
                return reader.fail(event.get("result") or event.get("errors") or event.get("subtype"))
            return [f"done: {event.get('num_turns')} turns, {event.get('total_cost_usd', 0):.4f} USD"]
    return []


def _part(part: dict[str, Any]) -> list[str]:
    match part.get("type"):
        case "text":
            return [str(part["text"])]
        case "tool_use":
            return [f"tool {part.get('name')}: {brief(part.get('input', {}))}"]
        case "tool_result" if part.get("is_error"):
            return [f"tool error: {brief(part.get('content', ''))}"]
        case "tool_result":
            return [f"tool result: {brief(part.get('content', ''))}"]
    return []


CLAUDE = Adapter(
    agent=Agent.CLAUDE, executable="claude", invocation=_invocation, reader=lambda: Reader(events=_events)
)
