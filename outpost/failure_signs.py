"""The words by which a failure is known: what ECS, git and the agents' CLIs print, as data.

Agents print whatever the repository and the task hold, so a word alone proves little. Each sign says whose
line it may stand in, and is written for the whole shape of the real message, not for a word of it.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Source = Literal["worker", "agent", "any"]


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A pattern and what it means. `source`: whose line it is looked for in."""

    code: str
    pattern: re.Pattern[str]
    summary: str
    remedy: str
    issue: str = ""
    cause: str = ""
    source: Source = "any"
    may_relaunch: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a log. `stream` is "" for a line that is not the worker's JSON."""

    text: str
    stream: str = ""


def _sign(
    issue: str,
    cause: str,
    pattern: str,
    summary: str,
    remedy: str,
    *,
    source: Source = "any",
    again: bool = False,
    code: str = "",
) -> Sign:
    return Sign(
        code=code or cause,
        issue=issue,
        cause=cause,
        pattern=re.compile(pattern, re.IGNORECASE | re.DOTALL),
        summary=summary,
        remedy=remedy,
        source=source,
        may_relaunch=again,
    )


_PENDING, _FAST, _EFS = "dispatch-stuck-pending", "agent-fails-immediately", "efs-mount-failure"
_SLOW, _NOTHING = "agent-timeout", "agent-no-changes"
_NO_ANSWER = (
    r"(?:i/o timeout|dial tcp|context deadline exceeded|connection (?:timed out|refused)|RequestCanceled)"
)

# What RunTask answers and what ECS writes to stoppedReason; wording as in "Amazon ECS stopped tasks error
# messages" and "RunTask" of the ECS documentation. Most specific first.
LAUNCH: tuple[Sign, ...] = (
    _sign(
        _PENDING,
        "vcpu-quota-exhausted",
        r"limit on the number of (?:vCPUs|tasks) you can run concurrently",
        "The account's Fargate vCPU quota (L-3032A538) is used up.",
        "Request a quota increase.",
        again=True,
    ),
    _sign(
        _PENDING,
        "task-definition-missing",
        r"TaskDefinition is inactive|TaskDefinition not found|Unable to (?:find|describe) task definition",
        "There is no active task definition for this agent.",
        "Deploy the stack, which registers it.",
        again=True,
    ),
    _sign(
        _PENDING,
        "subnet-exhausted",
        r"InsufficientFreeAddressesInSubnet|not have enough free addresses|no free (?:ip )?addresses",
        "The workers' subnets have no free IP address.",
        "Add subnets with free addresses, or wait until tasks have ended.",
        again=True,
    ),
    _sign(
        _FAST,
        "api-key-missing",
        r"ResourceInitializationError.*(?:ResourceNotFoundException|can't find the specified secret value)",
        "The agent's API key has no value in Secrets Manager.",
        "Populate Secrets Manager with the key.",
    ),
    _sign(
        _FAST,
        "api-key-missing",
        r"ResourceInitializationError.*secret.*AccessDenied",
        "The task's execution role may not read the agent's secret.",
        "Deploy the stack, which allows each agent's execution role its own secret.",
    ),
    _sign(
        _EFS,
        "no-mount-target",
        r"(?:Failed to resolve|could not resolve|cannot resolve)[^.]*\bfs-|mount target.*not found",
        "The file system has no mount target in the task's availability zone.",
        "Create a mount target there.",
    ),
    _sign(
        _EFS,
        "nfs-blocked",
        r"mount(?:\.nfs4?|: mounting failed)[^\n]*(?:timed out|timeout)|EFS.*Connection timed out",
        "The file system did not answer on NFS (port 2049).",
        "Allow NFS (port 2049) from the worker security group.",
    ),
    _sign(
        _EFS,
        "",
        r"failed to invoke EFS utils|mount: mounting failed|mount\.nfs4?:",
        "The workspace could not be mounted.",
        "Run diagnose --issue efs-mount-failure.",
        code="mount-failed",
    ),
    _sign(
        _PENDING,
        "egress-blocked",
        rf"(?:ResourceInitializationError|CannotPullContainerError).*{_NO_ANSWER}",
        "The task could not reach AWS: no egress, or no route out of its subnet.",
        "Verify that the worker security group allows egress and that the subnet routes to the NAT gateway.",
        again=True,
    ),
    _sign(
        "",
        "",
        r"CannotPullContainerError.*(?:not found|manifest unknown|does not exist)",
        "The agent's image is not in its repository.",
        "Push the image, or deploy a tag that exists.",
        code="image-not-found",
    ),
    _sign(
        "",
        "",
        r"CannotPullContainerError",
        "The agent's image could not be pulled.",
        "Check the image repository and the execution role's permissions on it.",
        code="image-pull-failed",
        again=True,
    ),
    _sign(
        _PENDING,
        "",
        r"RESOURCE:ENI|network interface provisioning|ENI provisioning",
        "AWS could not attach a network interface in time.",
        "It is tried again.",
        code="network-interface",
        again=True,
    ),
    _sign(
        _PENDING,
        "",
        r"Capacity is unavailable|RESOURCE:(?:CPU|MEMORY|FARGATE)",
        "AWS has no Fargate capacity in the zone now.",
        "It is tried again.",
        code="capacity-unavailable",
        again=True,
    ),
    _sign(
        _PENDING,
        "",
        r"ThrottlingException|Rate exceeded|TooManyRequests",
        "AWS throttled the launch.",
        "It is tried again, more slowly.",
        code="launch-throttled",
        again=True,
    ),
)

# What ends an agent at once, in the order in which one explains the other.
FAILED: tuple[Sign, ...] = (
    _sign(
        _FAST,
        "api-key-missing",
        r"\A(?:error: )?[A-Z]+_API_KEY not set",
        "The agent's API key is missing.",
        "Populate Secrets Manager with the key.",
        source="worker",
    ),
    _sign(
        _FAST,
        "repository-not-found",
        r"(?:remote|ERROR): Repository not found|fatal: repository '[^']*' (?:not found|does not exist)"
        r"|fatal: '[^']*' does not appear to be a git repository"
        r"|fatal: (?:Authentication failed for|could not read Username for) 'https?://"
        r"|is not a repository that a worker may clone",
        "The repository was not found, or the token cannot see it.",
        "Verify the GitHub URL and the token.",
        source="worker",
    ),
    _sign(
        _NOTHING,
        "wrong-branch",
        r"fatal: Remote branch \S+ not found in upstream",
        "The repository has no such branch.",
        "Specify the correct branch.",
        source="worker",
    ),
    _sign(
        _FAST,
        "permission-denied",
        r"fatal: detected dubious ownership in repository|^(?:fatal|error): .{0,200}: Permission denied\b"
        r"|cannot be used with root/sudo privileges|could not create work tree dir .*: Permission denied",
        "The agent's user may not use the workspace.",
        "Dispatch through the API, which makes the workspace the agent's own; for a mounted one, check the "
        "user of its access point.",
    ),
    _sign(
        _SLOW,
        "network-unreachable",
        r"fatal: unable to access 'https?://.*(?:Could not resolve host|Failed to connect)",
        "The repository's host could not be reached.",
        "Check the VPC's NAT gateway and DNS.",
        source="worker",
    ),
    _sign(
        _FAST,
        "model-not-found",
        r"not_found_error\W+.{0,80}\bmodel\b|issue with the selected model"
        r"|may not exist or you may not have access to it"
        r"|model_not_found|The model [`'\"]?\S+ does not exist|The requested model [`'\"]?\S+ does not exist"
        r"|models/\S+ is not found for API version|API Error.{0,300}Requested entity was not found"
        r"|(?:error: |ModelNotFoundError: ).{0,60}Requested entity was not found"
        r"|litellm\.NotFoundError"
        r"|litellm\.BadRequestError.{0,200}(?:Model Not Exist|LLM Provider NOT provided)"
        r"|\A(?:error: )?Model not found",
        "The provider has no such model, or the key may not use it.",
        "Check the spelling of the model id.",
        source="agent",
    ),
    _sign(
        _FAST,
        "",
        r"invalid x-api-key|Invalid API key|Incorrect API key provided|API key not valid|authentication_error"
        r"|litellm\.AuthenticationError|last status: 401|unexpected status 401",
        "The provider refused the agent's API key.",
        "Put a valid key into Secrets Manager.",
        source="agent",
        code="api-key-refused",
    ),
)

_RATE_LIMITED = (
    r"\b429\b.{0,40}(?:Too Many Requests|rate.?limit|Resource|quota)|last status: 429|rate_limit_error"
    r"|RESOURCE_EXHAUSTED|litellm\.RateLimitError|API Error: (?:Request rejected \()?429"
    r"|Rate limit reached for"
)
_UNREACHABLE = (
    r"\bETIMEDOUT\b|\bENETUNREACH\b|\bEAI_AGAIN\b|getaddrinfo ENOTFOUND|Could not resolve host"
    r"|Connection timed out|connect(?:ion)? time-?out|Network is unreachable"
    r"|Temporary failure in name resolution"
    r"|error sending request for url|litellm\.(?:Timeout|APIConnectionError)"
)

# What an agent that ran to its deadline was doing; the one that its log is full of.
TIMEOUT: tuple[Sign, ...] = (
    _sign(
        _SLOW,
        "model-rate-limited",
        _RATE_LIMITED,
        "The model's provider kept answering 429 until the deadline.",
        "Use a different agent or a key with higher limits.",
        source="agent",
    ),
    _sign(
        _SLOW,
        "network-unreachable",
        _UNREACHABLE,
        "The agent's connections timed out until the deadline.",
        "Check the VPC's NAT gateway and DNS.",
    ),
)
LOOP = _sign(
    _SLOW,
    "no-progress-loop",
    r"(?!)",
    "The agent repeated the same step until the deadline.",
    "Say in the task when it is done, and what to leave alone.",
)
TOO_COMPLEX = _sign(
    _SLOW,
    "task-too-complex",
    r"(?!)",
    "The agent was still making progress at the deadline.",
    "Break the task into smaller ones, or allow it more time.",
)

# Why an agent that ended well changed nothing.
NO_CHANGES: tuple[Sign, ...] = (
    _sign(
        _NOTHING,
        "read-only-mode",
        r"Read-only file system|\bEROFS\b|sandbox(?:ed)?[^\n]{0,40}read-only|read-only (?:sandbox|mode)"
        r"|(?:write|edit)[^\n]{0,60}(?:permission[^\n]{0,20}denied|not permitted|haven't granted)",
        "The agent could not write.",
        "Check the agent's configuration.",
        source="agent",
    ),
    _sign(
        _NOTHING,
        "wrong-branch",
        r"(?:on|in|from) (?:this|the (?:current|checked[- ]out)) branch[^\n]{0,120}"
        r"\b(?:not|no|missing|absent|doesn't)\b"
        r"|(?:not|isn't|doesn't exist|missing|absent)[^\n]{0,80}"
        r"\b(?:on|in|from) (?:this|the (?:current|checked[- ]out)) branch"
        r"|pathspec '[^']+' did not match|(?:different|another|wrong) branch",
        "The branch lacks what the task names.",
        "Specify the correct branch.",
        source="agent",
    ),
    _sign(
        _NOTHING,
        "file-not-found",
        r"File does not exist|No such file or directory|ENOENT"
        r"|(?:file|path|directory|module)[^\n]{0,80}(?:does not|doesn't) exist"
        r"|(?:couldn't|could not|cannot|can't|unable to) (?:find|locate)[^\n]{0,60}"
        r"(?:file|path|[\w./-]+\.\w{1,5}\b)",
        "Paths that the task names do not exist.",
        "Verify the file paths in the task.",
        source="agent",
    ),
    _sign(
        _NOTHING,
        "task-misunderstood",
        r"(?:could|can|would) you (?:please )?(?:clarify|confirm|tell|provide|specify|share|let me know)"
        r"|(?:what|which)[^\n.?]{1,120}(?:would you like|do you want|should I)[^\n]*\?"
        r"|I need more (?:information|detail|context)"
        r"|please (?:clarify|specify|provide more)"
        r"|I (?:can't|cannot|won't|am unable to|'m unable to|'m not able to) (?:help|assist|do)"
        r"|let me know (?:how|which|what|if)",
        "The agent asked back or declined instead of changing something.",
        "Clarify the task's description.",
        source="agent",
    ),
)

OUT_OF_MEMORY = re.compile(r"OutOfMemory|out of memory|memory limit of \d+", re.IGNORECASE)
REPEATS = 5  # the same step as often as this, and most of all steps, is a loop
_STEP = re.compile(r"\Atool (?!result|error)")


def parse(log_tail: Sequence[str]) -> list[Line]:
    """The lines of a log, the worker's JSON taken apart."""
    lines = []
    for raw in log_tail:
        record = None
        if raw.startswith("{"):
            try:
                record = json.loads(raw)
            except ValueError:
                record = None
        if isinstance(record, dict) and isinstance(record.get("message"), str):
            lines.append(Line(record["message"], str(record.get("stream", ""))))
        else:
            lines.append(Line(raw.rstrip("\n")))
    return lines


def match(signs: Sequence[Sign], text: str) -> Sign | None:
    """The first sign that a reason shows."""
    return next((sign for sign in signs if sign.pattern.search(text)), None)


def first(signs: Sequence[Sign], lines: Sequence[Line]) -> tuple[Sign | None, str]:
    """The first sign, in the order of the signs, that a line shows, and the last such line."""
    for sign in signs:
        for line in reversed(lines):
            if _may_stand_in(sign, line) and sign.pattern.search(line.text):
                return sign, line.text
    return None, ""


def most_frequent(signs: Sequence[Sign], lines: Sequence[Line]) -> tuple[Sign | None, str]:
    """The sign that the end of the log is full of: at least 2 of its last 20 lines."""
    found: list[tuple[int, Sign, str]] = []
    for sign in signs:
        hits = [
            line.text for line in lines[-20:] if _may_stand_in(sign, line) and sign.pattern.search(line.text)
        ]
        if len(hits) >= 2:
            found.append((len(hits), sign, hits[-1]))
    if not found:
        return None, ""
    _, sign, evidence = max(found, key=lambda item: item[0])
    return sign, evidence


def repeated_step(lines: Sequence[Line]) -> str:
    """The tool call that makes up most of the last calls, or ""."""
    steps = [line.text for line in lines if line.stream != "worker" and _STEP.match(line.text)][-20:]
    if not steps:
        return ""
    step, times = Counter(steps).most_common(1)[0]
    return step if times >= REPEATS and times * 2 > len(steps) else ""


def _may_stand_in(sign: Sign, line: Line) -> bool:
    return sign.source == "any" or line.stream in ("", sign.source)
