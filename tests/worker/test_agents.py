"""Adapters: how each CLI is called, and what is read from what it prints."""

import json
from pathlib import Path

import pytest

from outpost.agents import AGENTS, Agent
from outpost.exit_codes import WorkerExit
from outpost.failure import TaskEnd, classify, no_changes
from worker.agents import ADAPTERS, Job
from worker.agents.base import Reader

RECORDINGS = Path(__file__).parents[2] / "worker" / "rehearsals"
JOB = Job(prompt=Path("/work/task/prompt.md"), home=Path("/work/home"), model="some-model", api_key="the-key")


def replayed(name: str, reader: Reader) -> list[str]:
    """What the worker would log for a recording."""
    lines = (RECORDINGS / f"{name}.txt").read_text().splitlines()
    return [text for line in lines if not line.startswith("#!") for text in reader.read(line)]


def agent_of(name: str) -> Agent:
    if name == "read-only-mode":
        return Agent.CODEX
    return next((agent for agent in Agent if name.startswith(f"{agent}-")), Agent.CLAUDE)


@pytest.mark.parametrize("agent", Agent)
def test_the_call_has_the_model_the_key_and_no_terminal(agent: Agent) -> None:
    adapter = ADAPTERS[agent]
    call = adapter.invocation(JOB)
    assert call.argv[0] == adapter.executable
    assert "some-model" in call.argv
    assert "the-key" in call.environment.values()
    assert "the-key" not in " ".join(call.argv)
    assert call.stdin == JOB.prompt or str(JOB.prompt) in call.argv


@pytest.mark.parametrize("agent", Agent)
def test_every_agent_has_an_adapter_for_its_own_key(agent: Agent) -> None:
    assert AGENTS[agent].key_variable in ADAPTERS[agent].invocation(JOB).environment


@pytest.mark.parametrize("agent", Agent)
def test_without_a_model_none_is_invented_but_where_the_cli_needs_one(agent: Agent) -> None:
    job = Job(prompt=JOB.prompt, home=JOB.home, model=None, api_key="k")
    assert ("--model" in ADAPTERS[agent].invocation(job).argv) == (agent is Agent.AIDER)


@pytest.mark.parametrize(
    ("recording", "issue", "cause"),
    [
        ("model-not-found", "agent-fails-immediately", "model-not-found"),
        ("permission-denied", "agent-fails-immediately", "permission-denied"),
        ("codex-model-not-found", "agent-fails-immediately", "model-not-found"),
        ("gemini-model-not-found", "agent-fails-immediately", "model-not-found"),
        ("aider-model-not-found", "agent-fails-immediately", "model-not-found"),
        ("codex-api-key-refused", "agent-fails-immediately", ""),
        ("aider-api-key-refused", "agent-fails-immediately", ""),
        ("codex-model-rate-limited", "agent-timeout", "model-rate-limited"),
        ("claude-model-overloaded", "agent-timeout", "model-rate-limited"),
        ("grok-model-not-found", "agent-fails-immediately", "model-not-found"),
    ],
)
def test_a_clis_own_failure_is_read_and_classified(recording: str, issue: str, cause: str) -> None:
    reader = ADAPTERS[agent_of(recording)].reader()
    log = replayed(recording, reader)
    assert reader.error or recording in ("permission-denied", "grok-model-not-found")  # plain text
    failure = classify(TaskEnd(exit_code=1, log_tail=log, agent_started=True))
    assert failure is not None
    assert (failure.issue, failure.cause) == (issue, cause)


@pytest.mark.parametrize(
    ("recording", "cause"),
    [
        ("model-rate-limited", "model-rate-limited"),
        ("gemini-model-rate-limited", "model-rate-limited"),
        ("aider-model-rate-limited", "model-rate-limited"),
        ("codex-stream-rate-limited", "model-rate-limited"),
        ("gemini-capacity-exhausted", "model-rate-limited"),
        ("network-unreachable", "network-unreachable"),
        ("no-progress-loop", "no-progress-loop"),
        ("task-too-complex", "task-too-complex"),
    ],
)
def test_what_a_timed_out_agent_was_doing(recording: str, cause: str) -> None:
    log = replayed(recording, ADAPTERS[agent_of(recording)].reader())
    failure = classify(TaskEnd(exit_code=WorkerExit.TIMEOUT, log_tail=as_json(log), agent_started=True))
    assert failure is not None
    assert (failure.issue, failure.cause) == ("agent-timeout", cause)


@pytest.mark.parametrize(
    ("recording", "issue", "cause"),
    [
        *(
            (cause, "agent-no-changes", cause)
            for cause in ("task-misunderstood", "wrong-branch", "file-not-found", "read-only-mode")
        ),
        ("codex-read-only-mode", "agent-no-changes", "read-only-mode"),
        ("claude-read-only-mode", "agent-no-changes", "read-only-mode"),
        ("gemini-task-misunderstood", "agent-no-changes", "task-misunderstood"),
        ("gemini-no-progress-loop", "agent-timeout", "no-progress-loop"),
    ],
)
def test_why_an_agent_changed_nothing(recording: str, issue: str, cause: str) -> None:
    reader = ADAPTERS[agent_of(recording)].reader()
    failure = no_changes(as_json(replayed(recording, reader)))
    assert (failure.issue, failure.cause) == (issue, cause)
    assert reader.summary or recording == "gemini-no-progress-loop"


def as_json(lines: list[str]) -> list[str]:
    return [json.dumps({"stream": "agent", "message": line}) for line in lines]


def test_a_message_in_pieces_becomes_lines() -> None:
    reader = ADAPTERS[Agent.GEMINI].reader()
    lines: list[str] = []
    for piece in ("I will ", "look.\nThen ", "change it."):
        event = {"type": "message", "role": "assistant", "delta": True, "content": piece}
        lines += reader.read(json.dumps(event))
    lines += reader.read('{"type":"result","status":"success","stats":{"total_tokens":7}}')
    assert lines == ["I will look.", "Then change it.", "done: 7 tokens"]
    assert reader.summary == "Then change it."


@pytest.mark.parametrize("agent", Agent)
@pytest.mark.parametrize(
    "line", ['{"type":"assistant"}', '{"type":"item.completed"}', "{not json", "[]", "", "{}"]
)
def test_an_unexpected_line_is_never_an_exception(agent: Agent, line: str) -> None:
    assert isinstance(ADAPTERS[agent].reader().read(line), list)
