"""Why an agent failed, stalled or changed nothing: what git, the agents' CLIs and the agents themselves say.

The CLIs' wording was taken from their releases that the images install (Claude Code 2.1, Codex 0.169,
Gemini CLI 0.61, aider 0.86), run against a provider that refuses.
"""

import re

from outpost.signs import Sign, sign

_FAST, _SLOW, _NOTHING = "agent-fails-immediately", "agent-timeout", "agent-no-changes"

RATE_LIMITED = sign(
    _SLOW,
    "model-rate-limited",
    r"API Error: (?:Request rejected \()?429\b",
    r"last status: 429",
    r"failed with status 429",
    r"\b429 Too Many Requests",
    r"rate_limit_error|RESOURCE_EXHAUSTED|Resource has been exhausted",
    r"litellm\.RateLimitError|The API provider has rate limited you",
    summary="The model's provider kept answering 429.",
    remedy="Use a different agent, or a key with higher limits.",
    source="cli",
)
UNREACHABLE = sign(
    _SLOW,
    "network-unreachable",
    r"API Error: (?:Connection|Unable to connect)",
    r"\b(?:ETIMEDOUT|ENETUNREACH|EAI_AGAIN)\b|getaddrinfo ENOTFOUND",
    r"\AAttempt \d+ failed\..{0,60}fetch failed",
    r"Reconnecting\.\.\..{0,40}(?:error sending request|timed? ?out)|error sending request for url",
    r"fatal: unable to access 'https?://.*(?:Could not resolve host|Failed to connect|timed out)",
    r"litellm\.(?:Timeout|APIConnectionError)",
    r"Temporary failure in name resolution|Network is unreachable",
    summary="Connections to the outside failed or timed out.",
    remedy="Check the VPC's NAT gateway and DNS.",
)
LOOP = sign(
    _SLOW,
    "no-progress-loop",
    r"(?!)",  # told by counting steps, not by a line
    summary="The agent repeated the same step until the deadline.",
    remedy="Add limits to the task: say when it is done, and what to leave alone.",
)
TOO_COMPLEX = sign(
    _SLOW,
    "task-too-complex",
    r"(?!)",
    summary="The agent was still making progress at the deadline.",
    remedy="Break the task into smaller tasks, or allow it more time.",
)
TIMEOUT: tuple[Sign, ...] = (RATE_LIMITED, UNREACHABLE)

# What ends an agent at once, in the order in which one explains the other.
FAILED: tuple[Sign, ...] = (
    sign(
        _FAST,
        "api-key-missing",
        r"\A[A-Z]+_API_KEY not set",
        summary="The agent's API key is missing.",
        remedy="Populate Secrets Manager with the key.",
    ),
    sign(
        _FAST,
        "repository-not-found",
        r"\A(?:remote|ERROR): Repository not found",
        r"\Afatal: repository '[^']*' (?:not found|does not exist)",
        r"\Afatal: '[^']*' does not appear to be a git repository",
        r"\Afatal: (?:Authentication failed for|could not read Username for) 'https?://",
        r"is not a repository that a worker may clone",
        summary="The repository was not found, or the token cannot see it.",
        remedy="Verify the GitHub URL and the token.",
        source="worker",
    ),
    sign(
        _NOTHING,
        "wrong-branch",
        r"\Afatal: Remote branch \S+ not found in upstream",
        summary="The repository has no such branch.",
        remedy="Specify the correct branch.",
        source="worker",
    ),
    sign(
        _FAST,
        "permission-denied",
        r"\Afatal: detected dubious ownership in repository",
        r"\A(?:fatal|error): .{0,200}: Permission denied\b",
        r"cannot be used with root/sudo privileges",
        summary="The agent's user may not use the workspace.",
        remedy="Dispatch through the API, which makes the workspace the agent's own; for a mounted one, "
        "check the user of its access point.",
    ),
    sign(
        _FAST,
        "model-not-found",
        r"There's an issue with the selected model",
        r"The (?:requested )?model [`'\"]?[^\s`'\"]+[`'\"]? does not exist",
        r"(?:ModelNotFoundError|API Error): .{0,40}models/\S+ is not found for API version",
        r"(?:ModelNotFoundError|API Error)[^\n]{0,300}Requested entity was not found",
        r"\A(?:error: )?litellm\.NotFoundError",
        r"\A(?:error: )?litellm\.BadRequestError.{0,200}(?:Model Not Exist|LLM Provider NOT provided)",
        r"\A(?:error: )?Model not found",
        summary="The provider has no such model, or the key may not use it.",
        remedy="Check the spelling of the model id.",
        source="cli",
    ),
    sign(
        _FAST,
        "",
        r"\A(?:error: )?Invalid API key",
        r"invalid x-api-key",
        r"Incorrect API key provided",
        r"API key not valid\. Please pass",
        r"\A(?:error: )?litellm\.AuthenticationError",
        r"unexpected status 401 Unauthorized",
        summary="The provider refused the agent's API key.",
        remedy="Put a valid key into Secrets Manager.",
        source="cli",
        code="api-key-refused",
    ),
    RATE_LIMITED,
    UNREACHABLE,
)

_THIS_BRANCH = r"(?:on|in|from) (?:this|the (?:current|checked[- ]out)) branch"
# Why an agent that ended well changed nothing.
NO_CHANGES: tuple[Sign, ...] = (
    sign(
        _NOTHING,
        "read-only-mode",
        r"Read-only file system|\bEROFS\b",
        r"sandbox(?:ed)?[^\n]{0,40}read-only|read-only (?:sandbox|mode)",
        r"(?:write|edit)[^\n]{0,60}(?:permission[^\n]{0,20}denied|not permitted|haven't granted)",
        summary="The agent could not write.",
        remedy="Check the agent's configuration.",
        source="agent",
    ),
    sign(
        _NOTHING,
        "wrong-branch",
        rf"{_THIS_BRANCH}[^\n]{{0,120}}\b(?:not|no|missing|absent|doesn't)\b",
        rf"\b(?:not|isn't|doesn't exist|missing|absent)\b[^\n]{{0,80}}{_THIS_BRANCH}",
        r"(?:different|another|wrong) branch",
        summary="The branch lacks what the task names.",
        remedy="Specify the correct branch.",
        source="cli",
    ),
    sign(
        _NOTHING,
        "file-not-found",
        r"\Atool error[^\n]{0,80}(?:File does not exist|No such file or directory|ENOENT)",
        r"(?:file|path|directory|module)[^\n]{0,80}(?:does not|doesn't) exist",
        r"(?:couldn't|could not|cannot|can't|unable to) (?:find|locate)[^\n]{0,60}"
        r"(?:file|path|[\w./-]+\.\w{1,5}\b)",
        summary="Paths that the task names do not exist.",
        remedy="Verify the file paths in the task.",
        source="agent",
    ),
    sign(
        _NOTHING,
        "task-misunderstood",
        r"(?:could|can|would) you (?:please )?(?:clarify|confirm|tell|provide|specify|share|let me know)",
        r"(?:what|which)[^\n.?]{1,120}(?:would you like|do you want|should I)[^\n]*\?",
        r"I need more (?:information|detail|context)|please (?:clarify|specify|provide more)",
        r"I (?:can't|cannot|won't|am unable to|'m unable to|'m not able to) (?:help|assist|do)",
        r"let me know (?:how|which|what|if)",
        summary="The agent asked back or declined instead of changing something.",
        remedy="Clarify the task's description.",
        source="cli",
    ),
)

OUT_OF_MEMORY = re.compile(r"\AOutOfMemory|\bOutOfMemoryError\b", re.IGNORECASE)
