"""The classifier against the words that AWS, git and the agents' command lines really use."""

# ruff: noqa: E501 - messages are quoted whole

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outpost import launch_signs, log_signs
from outpost.failure import Failure, TaskEnd, classify, no_changes
from runbooks.catalogue import RUNBOOKS

PENDING, FAST, SLOW, EFS = (
    "dispatch-stuck-pending",
    "agent-fails-immediately",
    "agent-timeout",
    "efs-mount-failure",
)


def classified(end: TaskEnd) -> Failure:
    failure = classify(end)
    assert failure is not None
    return failure


def agent(*messages: str) -> list[str]:
    return [json.dumps({"stream": "agent", "message": message}) for message in messages]


def worker(*messages: str) -> list[str]:
    return [json.dumps({"stream": "worker", "message": message}) for message in messages]


@pytest.mark.parametrize(
    ("reason", "issue", "cause", "again"),
    [
        ("You've reached the limit on the number of vCPUs you can run concurrently", PENDING, "vcpu-quota-exhausted", True),
        ("You’ve reached the limit on the number of tasks you can run concurrently", PENDING, "vcpu-quota-exhausted", True),
        ("An error occurred (ClientException) when calling the RunTask operation: TaskDefinition is inactive", PENDING, "task-definition-missing", True),
        ("An error occurred (ClientException) when calling the RunTask operation: TaskDefinition not found.", PENDING, "task-definition-missing", True),
        ("Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-0a': InsufficientFreeAddressesInSubnet", PENDING, "subnet-exhausted", True),
        ("Capacity is unavailable at this time. Please try again later or in a different availability zone", PENDING, "", True),
        ("RESOURCE:ENI", PENDING, "", True),
        ("Timeout waiting for network interface provisioning to complete.", PENDING, "", True),
        ("ThrottlingException: Rate exceeded", PENDING, "", True),
        ("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:us-east-1:1:secret:outpost/agents/anthropic-x from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT", FAST, "api-key-missing", False),
        ("ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: AccessDeniedException: User is not authorized to perform: secretsmanager:GetSecretValue", FAST, "api-key-missing", False),
        ("ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. RequestError: send request failed caused by: Post \"https://api.ecr.us-east-1.amazonaws.com/\": dial tcp 52.46.1.2:443: i/o timeout", PENDING, "egress-blocked", True),
        ("CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref 1.dkr.ecr.us-east-1.amazonaws.com/outpost-claude:abc: 1.dkr.ecr.us-east-1.amazonaws.com/outpost-claude:abc: not found", "", "", False),
        ("CannotPullContainerError: ref pull has been retried 5 time(s): dial tcp 10.0.0.1:443: i/o timeout", PENDING, "egress-blocked", True),
        ("ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: Connection timed out' : unsuccessful EFS utils command execution; code: 32", EFS, "nfs-blocked", False),
        ("ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve \"fs-0a1b.efs.us-east-1.amazonaws.com\" - check that your file system ID is correct", EFS, "no-mount-target", False),
        ("ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: access denied by server while mounting 127.0.0.1:/", EFS, "", False),
        ("Task fails with 'mount: mounting failed'", EFS, "", False),
        ("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret x from secrets manager: InternalServiceError: An error occurred on the server side.", "", "", True),
        ("Something that nobody has seen", "", "", True),
    ],
)  # fmt: skip
def test_a_task_that_never_started(reason: str, issue: str, cause: str, again: bool) -> None:
    failure = classified(TaskEnd(stop_code="TaskFailedToStart", stopped_reason=reason))
    assert (failure.issue, failure.cause, failure.may_relaunch) == (issue, cause, again)
    assert failure.evidence in reason
    if not issue:
        assert failure.code


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (TaskEnd(exit_code=137, container_reason="OutOfMemoryError: Container killed due to memory usage"), "out-of-memory"),
        (TaskEnd(exit_code=137, log_tail=worker("OutOfMemory: the agent's processes took 900 MiB")), "out-of-memory"),
        (TaskEnd(exit_code=137, log_tail=agent("java.lang.OutOfMemoryError: Java heap space")), "killed"),
        (TaskEnd(exit_code=137, stop_code="UserInitiated", stopped_reason="Cancelled"), "stop-timeout"),
        (TaskEnd(exit_code=137, stop_code="ServiceSchedulerInitiated", stopped_reason="Scaling activity initiated by (deployment ecs-svc/1)"), "stop-timeout"),
        (TaskEnd(exit_code=137, stop_code="EssentialContainerExited"), "killed"),
        (TaskEnd(exit_code=139), "segmentation-fault"),
        (TaskEnd(exit_code=143, stop_code="UserInitiated"), "terminated"),
        (TaskEnd(exit_code=143, stop_code="SpotInterruption"), "interrupted"),
        (TaskEnd(exit_code=77), "fenced"),
        (TaskEnd(exit_code=75), "no-assignment"),
        (TaskEnd(exit_code=None), "unknown"),
        (TaskEnd(exit_code=5), "agent-failed"),
        (TaskEnd(exit_code=1, family="outpost-control-plane"), "application-error"),
    ],
)  # fmt: skip
def test_the_code_of_an_end(end: TaskEnd, code: str) -> None:
    assert classified(end).code == code


def test_out_of_memory_names_the_tier_that_is_too_small() -> None:
    reason = "OutOfMemoryError: Container killed due to memory usage"
    causes = {
        family: (found.issue, found.cause)
        for family in ("outpost-claude", "outpost-gemini", "outpost-grok", "outpost-control-plane", "")
        for found in [classified(TaskEnd(exit_code=137, container_reason=reason, family=family))]
    }
    assert causes == {
        "outpost-claude": ("memory-pressure", "flagship-undersized"),
        "outpost-gemini": ("memory-pressure", "balanced-undersized"),
        "outpost-grok": ("memory-pressure", "fast-undersized"),
        "outpost-control-plane": ("control-plane-not-starting", "out-of-memory"),
        "": ("memory-pressure", ""),
    }


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (worker("ANTHROPIC_API_KEY not set"), "api-key-missing"),
        (["XAI_API_KEY not set"], "api-key-missing"),
        (worker("remote: Repository not found.", "fatal: repository 'https://github.com/a/b/' not found"), "repository-not-found"),
        (worker("fatal: could not read Username for 'https://github.com': terminal prompts disabled"), "repository-not-found"),
        (worker("fatal: Authentication failed for 'https://github.com/a/b/'"), "repository-not-found"),
        (worker("fatal: repository '/no/such' does not exist"), "repository-not-found"),
        (worker("fatal: detected dubious ownership in repository at '/workspace/r'"), "permission-denied"),
        (worker("fatal: could not create work tree dir '/workspace/r': Permission denied"), "permission-denied"),
        (agent("error: There's an issue with the selected model (x). It may not exist"), "model-not-found"),
        (agent("Model not found"), "model-not-found"),
        (worker("fatal: unable to access 'https://github.com/a/b/': Could not resolve host: github.com"), "network-unreachable"),
    ],
)  # fmt: skip
def test_what_the_log_of_a_failed_agent_says(log: list[str], cause: str) -> None:
    assert classified(TaskEnd(exit_code=1, log_tail=log, agent_started=True)).cause == cause


@pytest.mark.parametrize(
    "line",
    [
        "tool result: the test prints 'remote: Repository not found.' and passes",
        "remote: Repository not found.",  # the agent's own git, in some other clone
        "I will handle the case where the model_not_found error comes back",
        "tool result: raise NotFoundError('The model `x` does not exist')",
        "src/app.py:429: Too many branches",
        "tool error: sh: ./deploy.sh: Permission denied",
        "The README says: set OPENAI_API_KEY not set will fail",
        "added a test for 429 responses",
    ],
)
def test_false_friends_in_an_agents_output_classify_nothing(line: str) -> None:
    assert classified(TaskEnd(exit_code=1, log_tail=agent(line), agent_started=True)).code == "agent-failed"


RATE, NETWORK, LOOPING = "model-rate-limited", "network-unreachable", "no-progress-loop"


# One line each as the CLIs print it, after the worker's adapters (the sources: their issue trackers).
@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', RATE),
        ('API Error (429 {"type":"error","error":{"type":"rate_limit_error"}}) · Retrying in 4 seconds… (attempt 3/10)', RATE),
        ("API Error: Repeated 529 Overloaded errors", RATE),
        ("error: Claude AI usage limit reached|1753088400", ""),
        ("Claude AI usage limit reached|1753088400", RATE),
        ("warning: Reconnecting... 2/5 (stream disconnected before completion: Rate limit reached for gpt-5 in organization org-x)", RATE),
        ("error: stream disconnected before completion: Rate limit is exceeded. Try again in 11 seconds.", RATE),
        ("error: exceeded retry limit, last status: 429 Too Many Requests", RATE),
        ("error: Quota exceeded. Check your plan and billing details.", RATE),
        ("Attempt 1 failed: You have exhausted your capacity on this model. Your quota will reset after 5s.. Retrying after 6173ms...", RATE),
        ('error: [API Error: {"error":{"code":429,"message":"You exceeded your current quota, please check your plan"}}]', RATE),
        ('[API Error: got status: 429 Too Many Requests. {"error":{}}', RATE),
        ("litellm.RateLimitError: RateLimitError: DeepseekException - ", RATE),
        ("API Error (Request timed out.) · Retrying in 8 seconds… (attempt 5/10)", NETWORK),
        ("warning: Reconnecting... 3/5 (error sending request for url (https://api.openai.com/v1/responses))", NETWORK),
        ("warning: Loop detected, stopping execution", LOOPING),
        ("A potential loop was detected. This can happen due to repetitive tool calls or other model behavior.", LOOPING),
        ("Error: The model grok-99 does not exist or your team 1f2e does not have access to it.", "model-not-found"),
        ("Model not found: xai/grok-99", "model-not-found"),
    ],
)  # fmt: skip
def test_what_the_clis_say_at_their_end(line: str, cause: str) -> None:
    log = agent("I will look at the repository first.", line)
    assert classified(TaskEnd(exit_code=1, log_tail=log, agent_started=True)).cause == cause


# Work on such things is not such a thing: as an agent's own words, as its tools' output, as a task's text.
TALK = [
    "I will retry when the API returns 429 Too Many Requests, with exponential backoff.",
    "The client now handles RESOURCE_EXHAUSTED and rate_limit_error alike.",
    "Added a test: `API Error: 429` is shown to the user.",
    "tool result: HTTP 429 Too Many Requests",
    'tool result: raise RateLimitError("Resource has been exhausted")',
    "tool Edit: src/errors.py: class ETIMEDOUT(Exception)",
    "tool result: if (error.code === 'ETIMEDOUT') retry()",
    "tool error: grep: no match for ENETUNREACH",
    "The model `Invoice` does not exist yet, so I will create it in models.py.",
    "Model not found in the registry: I register it at start-up.",
    "tool result: the requested model 'User' does not exist",
    "I documented what to do when git says: fatal: detected dubious ownership in repository",
    "tool error: sh: ./deploy.sh: Permission denied",
    "The README explains `Permission denied (publickey)`.",
    "A user with an Invalid API key now gets 401.",
    "I fixed the potential loop that was detected in the scheduler.",
]


@pytest.mark.parametrize("line", TALK)
def test_an_agent_that_talks_about_a_failure_has_not_had_it(line: str) -> None:
    said = agent("I will look at the repository first.", line, "Tests fail: 2 of 31.")
    assert classified(TaskEnd(exit_code=1, log_tail=said, agent_started=True)).code == "agent-failed"


@pytest.mark.parametrize("line", TALK)
def test_an_agent_that_talks_about_it_until_its_deadline_ran_out_of_time(line: str) -> None:
    said = agent(*(text for n in range(10) for text in (f"tool Edit: file {n}", line)))
    failure = classified(TaskEnd(exit_code=124, log_tail=said, agent_started=True))
    assert failure.cause == "task-too-complex"


@pytest.mark.parametrize(
    "line", [*TALK, "All of it is there already. Let me know if you need anything else."]
)
def test_an_agent_that_talks_about_it_and_ends_well_is_not_put_down_to_it(line: str) -> None:
    said = agent("I looked around.", line, "Nothing has to be changed: the feature is implemented.")
    assert no_changes(said).cause == ""


def test_what_an_agent_recovered_from_is_not_why_it_failed() -> None:
    early = agent("API Error: 429 rate_limit, retrying (attempt 1 of 10)", "tool error: File does not exist.")
    later = agent(*(f"tool Edit: file {number}" for number in range(30)), "Two tests fail.")
    assert classified(TaskEnd(exit_code=1, log_tail=early + later, agent_started=True)).code == "agent-failed"
    assert no_changes(early + later).cause == ""


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("tool error: Claude requested permissions to write to /work/dispatch/repository/" + "deep/" * 30 + "a.py, but you haven't granted it yet.", "read-only-mode"),
        ("I need permission to create the file. Please grant it when prompted.", "read-only-mode"),
        ("I'm currently in a read\u2011only workspace, so I can't modify README.md.", "read-only-mode"),
        ("Your repo is read\u2011only here, so below are the edits that you can apply.", "read-only-mode"),
        ("tool error (exit code 1): patch rejected: writing is blocked by read-only sandbox; rejected by user approval settings", "read-only-mode"),
        ("tool error: EROFS: read-only file system, open 'a.py'", "read-only-mode"),
        ("tool error: EACCES: permission denied, open 'test.py'", "read-only-mode"),
        ("I made the property read-only, as it was already.", ""),
        ("The settings object is a read-only view; nothing to change.", ""),
        ("warning: Loop detected, stopping execution", LOOPING),
        ("The class lives on another branch, `release/2.x`.", "wrong-branch"),
        ("See the guide on how to merge another branch.", ""),
    ],
)  # fmt: skip
def test_why_nothing_was_changed(line: str, cause: str) -> None:
    assert no_changes(agent("I will look at the repository first.", line)).cause == cause


def test_a_timeout_with_two_hits_long_ago_was_not_rate_limited() -> None:
    log = agent("API Error: 429 rate_limit, retrying", "API Error: 429 rate_limit, retrying") + agent(
        *(f"tool Edit: file {number}" for number in range(40))
    )
    assert classified(TaskEnd(exit_code=124, log_tail=log)).cause == "task-too-complex"


def test_a_timeout_quotes_the_agents_last_step_not_what_the_worker_said_after_it() -> None:
    said = {"stream": "worker", "message": "changes: 0 files, +0 -0, 0 commits of its own"}
    log = [*agent("tool Edit: file 1", "tool Edit: file 2"), json.dumps(said)]
    assert classified(TaskEnd(exit_code=124, log_tail=log)).evidence == "tool Edit: file 2"


def test_a_silent_timeout_has_no_cause_of_its_own() -> None:
    failure = classified(TaskEnd(exit_code=124, log_tail=worker("cloning")))
    assert (failure.issue, failure.cause) == ("agent-timeout", "")


def test_a_started_agent_is_never_launched_again() -> None:
    end = TaskEnd(exit_code=75, agent_started=True)
    assert not classified(end).may_relaunch


def test_no_changes_without_a_sign_quotes_the_last_words() -> None:
    failure = no_changes(agent("Looked around.", "All is well already."))
    assert (failure.cause, failure.evidence) == ("", "All is well already.")


@given(
    st.builds(
        TaskEnd,
        exit_code=st.none() | st.integers(-20, 260),
        stop_code=st.sampled_from(["", "UserInitiated", "TaskFailedToStart"]) | st.text(max_size=20),
        stopped_reason=st.text(max_size=200),
        container_reason=st.text(max_size=200),
        log_tail=st.lists(st.text(max_size=80) | st.just('{"stream":1,"message":"x"}'), max_size=8),
    )
)
def test_it_never_raises_and_always_tells_something(end: TaskEnd) -> None:
    failure = classify(end)
    assert (failure is None) == (end.exit_code == 0)
    assert failure is None or (failure.code and failure.summary and failure.remedy)


def test_every_cause_that_it_names_is_one_of_the_runbooks() -> None:
    signs = (*launch_signs.LAUNCH, *log_signs.FAILED, *log_signs.TIMEOUT, *log_signs.NO_CHANGES)
    causes = {runbook.issue: {cause.code for cause in runbook.causes} for runbook in RUNBOOKS}
    unknown = [
        sign for sign in signs if sign.cause and sign.cause not in causes.get(sign.issue, {sign.cause})
    ]
    assert unknown == []
