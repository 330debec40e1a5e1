"""Bundles: what one run observed, redacted, in a file; and a reader that answers from such a file.

The same checks judge a bundle offline and come to the same verdict, also when ECS has long forgotten.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outpost.api_keys import KEY_FORM, KEY_LENGTH, PREFIX_LENGTH
from outpost.errors import OutpostError
from outpost.names import Names
from runbooks.looking import Absent, Answer, CouldNotLook, Look, key_of
from runbooks.redaction import redacted
from runbooks.target import Target

FORMAT = 1
MALFORMED = "malformed"  # stands for a key that is not of Outpost: nothing of it is kept


def save(look: Look, target: Target, path: Path) -> None:
    """Write what a run observed to a gzipped JSON file."""
    document = {
        "format": FORMAT,
        "target": {
            "stack": target.names.stack,
            "bucketSuffix": target.names.bucket_suffix,
            "region": target.region,
            "apiUrl": target.api_url,
            "apiKeyPrefix": _identity(target.api_key),
            "since": target.since,
            "now": target.now.isoformat(),
        },
        "calls": dict(look.calls),
        "outcomes": {key: _encoded(outcome) for key, outcome in look.outcomes().items()},
    }
    text = json.dumps(redacted(_timed(document)), indent=1)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(text)


def _identity(key: str) -> str:
    """What is kept of the reader's API key: the characters that its record shows too."""
    if not key:
        return ""
    return key[:PREFIX_LENGTH] if KEY_FORM.fullmatch(key) else MALFORMED


def _key(identity: str) -> str:
    """A key that is judged as the one that was there: of the same form, and with the same prefix."""
    return identity + "0" * (KEY_LENGTH - PREFIX_LENGTH) if len(identity) == PREFIX_LENGTH else identity


def load(path: Path) -> tuple[Target, BundleReader]:
    """The target and the reader of a bundle. Raises `OutpostError` (`invalid-bundle`)."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            document = json.load(file, object_hook=_untimed)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']}, and not {FORMAT}")
        about = document["target"]
        target = Target(
            names=Names(about["stack"], about["bucketSuffix"]),
            region=about["region"],
            profile=None,
            api_url=about["apiUrl"],
            api_key=_key(about["apiKeyPrefix"]),
            since=about["since"],
            now=datetime.fromisoformat(about["now"]),
        )
        return target, BundleReader(document["outcomes"], Counter(document["calls"]))
    except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise OutpostError(
            "invalid-bundle",
            f"{path} is not a bundle: {error}.",
            remedy="Make one: ./inv diagnose --bundle FILE",
        ) from error


class BundleReader:
    """Answers from a bundle, and makes no call: `calls` are those of the run that was saved."""

    def __init__(self, outcomes: dict[str, Answer], calls: Counter[str]) -> None:
        self._outcomes = outcomes
        self.calls = calls

    def read(self, operation: str, parameters: Answer) -> Answer:
        outcome = self._outcomes.get(key_of(operation, parameters))
        if outcome is None:
            raise CouldNotLook(operation, "not in the bundle")
        kind, content = outcome["kind"], outcome["content"]
        if kind == "absent":
            raise Absent(operation, content["code"], content["detail"])
        if kind == "blind":
            raise CouldNotLook(operation, content["reason"], content["detail"], content["permission"])
        answer: Answer = content
        return answer


def _encoded(outcome: Answer | Absent | CouldNotLook) -> Answer:
    if isinstance(outcome, Absent):
        return {"kind": "absent", "content": {"code": outcome.code, "detail": outcome.detail}}
    if isinstance(outcome, CouldNotLook):
        blind = {"reason": outcome.reason, "detail": outcome.detail, "permission": outcome.permission}
        return {"kind": "blind", "content": blind}
    return {"kind": "answer", "content": outcome}


def _timed(value: Any) -> Any:
    """JSON has no times: each becomes an object with one member."""
    if isinstance(value, datetime):
        return {"$time": value.astimezone(UTC).isoformat()}
    if isinstance(value, dict):
        return {str(key): _timed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_timed(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _untimed(value: Answer) -> Any:
    return datetime.fromisoformat(value["$time"]) if set(value) == {"$time"} else value
