"""Why an agent failed, stalled or changed nothing: what git, the agents' CLIs and the agents themselves say.

The CLIs' wording was taken from their releases that the images install (Claude Code 2.1, Codex 0.169,
Gemini CLI 0.61, aider 0.86), run against a provider that refuses, and from their issue trackers. An agent
that writes code about a 429 prints these words too: each pattern begins where the CLI's own line begins.
"""

import re

from outpost.signs import Sign, sign

_FAST, _SLOW, _NOTHING = "agent-fails-immediately", "agent-timeout", "agent-no-changes"
_OWN = r"\A(?:error: |warning: )?\[?"  # how a CLI's own line begins, as the worker's adapters log it
_GEMINI = rf"{_OWN}(?:Error when talking to Gemini API.{{0,300}})?(?:ModelNotFoundError|API Error)"
_REFUSED = (
    r"429\b|529\b|Repeated 529|Overloaded|rate_limit_error|overloaded_error|RESOURCE_EXHAUSTED"
    r"|Resource has been exhausted|You exceeded your current quota|You have exhausted your|got status: 429"
)

RATE_LIMITED = sign(
    _SLOW,
    "model-rate-limited",
    # Claude Code, and Gemini CLI: `API Error: 429 ...`, `[API Error: {"error": ...`, `API Error (529 ...`.
    rf"{_OWN}API Error[:(\s]+(?:Request rejected \()?.{{0,120}}?(?:{_REFUSED})",
    r"\AClaude (?:AI )?usage limit reached",
    # Codex: at the end, and while it tries again.
    r"\A(?:error|warning): .{0,120}(?:last status: 429|\b429 Too Many Requests)",
    r"\A(?:error|warning): .{0,60}stream disconnected before completion: Rate limit (?:reached|is exceeded)",
    r"\Aerror: (?:Quota exceeded\. Check your plan|You've hit your usage limit|Rate limit reached for )",
    # Gemini CLI, between two tries.
    r"\AAttempt \d+ failed with status 429",
    r"\AAttempt \d+ failed: (?:You have exhausted your|No capacity available for model|You exceeded your)",
    # aider
    r"\A(?:error: )?litellm\.(?:RateLimitError|InternalServerError.{0,200}Overloaded)",
    r"\AThe API provider has rate limited you",
    summary="The model's provider kept refusing requests: too many of them (429), or too many in all (529).",
    remedy="Use a different agent, or a key with higher limits.",
    source="cli",
)
_UNREACHABLE = (
    rf"{_OWN}API Error[:(\s]+(?:Connection|Unable to connect|Request timed out|fetch failed)",
    r"\A(?:error|warning): .{0,200}\b(?:ETIMEDOUT|ENETUNREACH|EAI_AGAIN|ENOTFOUND)\b",
    r"\AAttempt \d+ failed\..{0,60}fetch failed",
    r"\A(?:error|warning): .{0,120}(?:error sending request|timed? ?out)",
    r"\Afatal: unable to access 'https?://.*(?:Could not resolve host|Failed to connect|timed out)",
    r"\A(?:error: )?litellm\.(?:Timeout|APIConnectionError)",
    r"\A(?:ssh|curl|wget|fatal|error)\b.{0,120}Temporary failure in name resolution",
    r"\A(?:ssh|curl|wget|fatal|error)\b.{0,120}Network is unreachable",
)
_SAID_UNREACHABLE = (
    "Connections to the outside failed or timed out.",
    "Check the VPC's NAT gateway and DNS.",
)
UNREACHABLE = sign(
    _SLOW,
    "network-unreachable",
    *_UNREACHABLE,
    summary=_SAID_UNREACHABLE[0],
    remedy=_SAID_UNREACHABLE[1],
)
# What tools say counts while an agent stands still: then it is said again and again.
TOOLS_UNREACHABLE = sign(
    _SLOW,
    "network-unreachable",
    *_UNREACHABLE,
    r"\Atool error.{0,200}\b(?:connect|getaddrinfo|code|network|errno)\b.{0,40}"
    r"\b(?:ETIMEDOUT|ENETUNREACH|EAI_AGAIN|ENOTFOUND)\b",
    r"\Atool error.{0,200}(?:Temporary failure in name resolution|Network is unreachable)",
    r"\Atool error.{0,200}(?:Could not resolve host|Connection timed out)",
    summary=_SAID_UNREACHABLE[0],
    remedy=_SAID_UNREACHABLE[1],
)
LOOP = sign(
    _SLOW,
    "no-progress-loop",
    # Gemini CLI sees it by itself, and stops; of the others it is told by counting steps.
    r"\A(?:error: |warning: )?(?:A potential loop was detected|Loop detected, stopping execution)",
    summary="The agent repeated the same step, and came no further.",
    remedy="Add limits to the task: say when it is done, and what to leave alone.",
    source="cli",
)
TOO_COMPLEX = sign(
    _SLOW,
    "task-too-complex",
    r"(?!)",
    summary="The agent was still making progress at the deadline.",
    remedy="Break the task into smaller tasks, or allow it more time.",
)
TIMEOUT: tuple[Sign, ...] = (RATE_LIMITED, TOOLS_UNREACHABLE)

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
        r"\A(?:fatal|error): (?:could not|cannot|can't|unable to|failed to|insufficient permission|open)"
        r".{0,200}: Permission denied\b",
        r"cannot be used with root/sudo privileges",
        summary="The agent's user may not use the workspace.",
        remedy="Dispatch through the API, which makes the workspace the agent's own; for a mounted one, "
        "check the user of its access point.",
    ),
    sign(
        _FAST,
        "model-not-found",
        rf"{_OWN}There's an issue with the selected model",
        r"\A(?:error: )?(?:[\w .:-]{0,60}: )?The model [`'\"]?[^\s`'\"]+[`'\"]? does not exist or you",
        r"\Aerror: The (?:requested )?model [`'\"]?[^\s`'\"]+[`'\"]? does not exist",
        rf"{_GEMINI}[^\n]{{0,60}}models/\S+ is not found for API version",
        rf"{_GEMINI}[^\n]{{0,300}}Requested entity was not found",
        r"\A(?:error: )?litellm\.NotFoundError",
        r"\A(?:error: )?litellm\.BadRequestError.{0,200}(?:Model Not Exist|LLM Provider NOT provided)",
        r"\A(?:error: )?Model not found(?:[.:]|\Z)",
        summary="The provider has no such model, or the key may not use it.",
        remedy="Check the spelling of the model id.",
        source="cli",
    ),
    sign(
        _FAST,
        "",
        r"\A(?:error: )?Invalid API key",
        rf"{_OWN}(?:API Error\b.{{0,120}})?invalid x-api-key",
        r"\A(?:error|warning): .{0,120}(?:Incorrect API key provided|unexpected status 401 Unauthorized)",
        rf"{_OWN}(?:API Error\b.{{0,300}})?API key not valid\. Please pass",
        r"\A(?:error: )?litellm\.AuthenticationError",
        summary="The provider refused the agent's API key.",
        remedy="Put a valid key into Secrets Manager.",
        source="cli",
        code="api-key-refused",
    ),
    RATE_LIMITED,
    UNREACHABLE,
    LOOP,
)

_THIS_BRANCH = r"(?:on|in|from) (?:this|the (?:current|checked[- ]out)) branch"
_READ_ONLY = "read[-\u2010\u2011 ]only"  # models like to write a hyphen that does not break
# Why an agent that ended well changed nothing.
NO_CHANGES: tuple[Sign, ...] = (
    sign(
        _NOTHING,
        "read-only-mode",
        r"\Atool error.{0,300}(?:Read-only file system|\bEROFS\b)",
        r"\Atool error.{0,300}\b(?:EACCES|EPERM)\b[^,]{0,60}, (?:open|mkdir|rename|unlink|copyfile)",
        r"requested permissions? to (?:write|edit|use)[^\n]{1,300}haven't granted it",
        r"\Atool error.{0,300}(?:blocked by read-only sandbox|rejected by user approval)",
        summary="The agent could not write.",
        remedy="Check the agent's configuration.",
        source="agent",
    ),
    sign(
        _NOTHING,
        "read-only-mode",
        rf"\b(?:I'm|I am|session|sandbox|workspace|repo(?:sitory)?|file ?system|environment)\b[^\n]{{0,60}}"
        rf"\b{_READ_ONLY}\b(?! (?:propert|field|attribute|view|method|access|token|scope|key|user|replica))",
        rf"\b{_READ_ONLY} (?:sandbox|mode|file ?system|workspace|session)\b[^\n]{{0,80}}"
        r"(?:can't|cannot|couldn't|could not|unable|reject|block|not)",
        r"I (?:need|don't have|do not have|lack|wasn't given) (?:the )?(?:write )?permission[^\n]{0,40}"
        r"(?:write|create|edit|modify|change)",
        summary="The agent could not write.",
        remedy="Check the agent's configuration.",
        source="cli",
    ),
    sign(
        _NOTHING,
        "wrong-branch",
        rf"{_THIS_BRANCH}[^\n]{{0,120}}\b(?:not|no|missing|absent|doesn't)\b",
        rf"\b(?:no|not|isn't|doesn't exist|missing|absent)\b[^\n]{{0,80}}{_THIS_BRANCH}",
        r"\b(?:is|are|exists?|lives?|was|were|found)\b[^\n]{0,40}\b(?:on|in) (?:a different|another) branch",
        r"\b(?:the|a) (?:wrong|different) branch (?:is|was|has been) checked",
        summary="The branch lacks what the task names.",
        remedy="Specify the correct branch.",
        source="cli",
    ),
    sign(
        _NOTHING,
        "file-not-found",
        r"\Atool error[^\n]{0,80}(?:File does not exist|No such file or directory|ENOENT)",
        summary="Paths that the task names do not exist.",
        remedy="Verify the file paths in the task.",
        source="agent",
    ),
    sign(
        _NOTHING,
        "file-not-found",
        r"\b(?:file|path|directory|module)\b[^\n]{0,80}(?:does not|doesn't) exist",
        r"(?:couldn't|could not|cannot|can't|unable to) (?:find|locate)[^\n]{0,60}"
        r"(?:file|path|[\w./-]+\.\w{1,5}\b)",
        summary="Paths that the task names do not exist.",
        remedy="Verify the file paths in the task.",
        source="cli",
    ),
    sign(
        _NOTHING,
        "task-misunderstood",
        r"(?:could|can|would) you (?:please )?(?:clarify|confirm|tell me|provide|specify|share|let me know)",
        r"(?:what|which)[^\n.?]{1,120}(?:would you like|do you want|should I)[^\n]*\?",
        r"I need more (?:information|detail|context)|please (?:clarify|specify|provide more)",
        r"I (?:can't|cannot|won't|am unable to|'m unable to|'m not able to) (?:help|assist|do)",
        r"let me know (?:how|which|what|whether) (?:you|I|to|one)",
        summary="The agent asked back or declined instead of changing something.",
        remedy="Clarify the task's description.",
        source="cli",
    ),
    LOOP,
)

OUT_OF_MEMORY = re.compile(r"\AOutOfMemory|\bOutOfMemoryError\b", re.IGNORECASE)
