"""Redaction: whatever looks like a secret is masked before it can reach a report or a bundle."""

from __future__ import annotations

import re
from typing import Any

MASK = "[redacted]"

# Each keeps what identifies a secret to its owner (the prefix) and masks what would let another use it.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Outpost's own keys: the guide looks them up by their first 15 characters.
    (re.compile(r"(otp_[0-9a-f]{11})[0-9a-f]{8,}"), r"\1" + MASK),
    (re.compile(r"\b(sk-(?:ant-|proj-)?)[A-Za-z0-9_-]{16,}"), r"\1" + MASK),
    (re.compile(r"\b(xai-)[A-Za-z0-9]{16,}"), r"\1" + MASK),
    (re.compile(r"\b(AIza)[A-Za-z0-9_-]{20,}"), r"\1" + MASK),
    (re.compile(r"\b(gh[pousr]_|github_pat_)[A-Za-z0-9_]{16,}"), r"\1" + MASK),
    (re.compile(r"\b((?:AKIA|ASIA)[A-Z0-9]{4})[A-Z0-9]{12}\b"), r"\1" + MASK),
    (re.compile(r"(?i)\b(bearer\s+|basic\s+)[A-Za-z0-9._~+/=-]{16,}"), r"\1" + MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"), MASK),
    (re.compile(r"(?i)(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+"), r"\1" + MASK),
    (re.compile(r"(://[^/\s:@]+:)[^/\s@]+(@)"), r"\1" + MASK + r"\2"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL), MASK),
    (
        # name=value, "name": "value", name: value; not secretsmanager:Action, an ARN, or a variable's name.
        re.compile(
            r"(?i)(\b[\w-]*(?:api[_-]?key|secret|password|passwd|token)[\"']?(?:\s*=\s*|:\s+|:(?=[\"']))[\"']?)"
            r"(?!\[redacted\]|\$[A-Z][A-Z0-9_]*\b|arn:|outpost[-/]|not |missing|null|none|otp_)"
            r"[^\s\"',;&}]{8,}"
        ),
        r"\1" + MASK,
    ),
)
_SECRET_NAME = re.compile(r"(?i)(key|secret|password|passwd|token|credentials?)$")


def redact(text: str) -> str:
    """The text without anything that looks like a secret."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redacted(value: Any) -> Any:
    """A JSON-like value with every text redacted, and the values of variables named like secrets masked."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        if set(value) == {"name", "value"} and _SECRET_NAME.search(str(value["name"])):
            return {"name": value["name"], "value": MASK}
        return {key: _of(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value


def _of(name: str, value: Any) -> Any:
    if isinstance(value, str) and name.isupper() and _SECRET_NAME.search(name):
        return MASK
    return redacted(value)
