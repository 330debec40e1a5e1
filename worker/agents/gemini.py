"""Gemini CLI: headless with --prompt, which it appends to the task on standard input."""

from typing import Any

from outpost.agents import Agent
from worker.agents.base import Adapter, Invocation, Job, Reader, brief


def _invocation(job: Job) -> Invocation:
    return Invocation(
        argv=(
            "gemini",
            "--output-format",
            "stream-json",
            "--approval-mode",
            "yolo",
            "--skip-trust",
            *(("--model", job.model) if job.model else ()),
            "--prompt",
            "Carry out the task above in this repository.",
        ),
        environment={"GEMINI_API_KEY": job.api_key},
        stdin=job.prompt,
    )


def _events(reader: Reader, event: dict[str, Any]) -> list[str]:
    match event.get("type"):
        case "message" if event.get("role") == "assistant":
            reader.partial += str(event.get("content", ""))
            if event.get("delta"):
                *whole, reader.partial = reader.partial.split("\n")
                return [line for line in whole if line.strip()]
            return _rest(reader)
        case "message":
            return []
    return _rest(reader) + _other(reader, event)


def _rest(reader: Reader) -> list[str]:
    """What a message in pieces has left when something else comes."""
    text, reader.partial = reader.partial, ""
    reader.conclude(text)
    return [text] if text.strip() else []


def _other(reader: Reader, event: dict[str, Any]) -> list[str]:
    match event.get("type"):
        case "init":
            return [f"model {event.get('model')}"]
        case "tool_use":
            return [f"tool {event.get('tool_name')}: {brief(event.get('parameters', {}))}"]
        case "tool_result":
            label = "tool result" if event.get("status") == "success" else "tool error"
            return [f"{label}: {brief(event.get('output') or event.get('error') or '')}"]
        case "error" if event.get("severity") == "warning":
            return [f"warning: {event.get('message')}"]
        case "error":
            return reader.fail(event.get("message") or event)
        case "result" if event.get("status") != "success":
            return reader.fail((event.get("error") or {}).get("message") or event)
        case "result":
            return [f"done: {(event.get('stats') or {}).get('total_tokens', 0)} tokens"]
    return []


GEMINI = Adapter(
    agent=Agent.GEMINI, executable="gemini", invocation=_invocation, reader=lambda: Reader(events=_events)
)
