"""Waivers: causes that are known and accepted for a while, each with a reason and an expiry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from outpost.errors import OutpostError
from runbooks.catalogue import causes
from runbooks.model import skipped
from runbooks.ranking import Judged

PATH = Path("waivers.json")


@dataclass(frozen=True)
class Waiver:
    """Until the end of `expires`, the cause is shown and does not count. `stack` empty: in all stacks."""

    cause: str
    reason: str
    expires: date
    stack: str = ""


def load(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a file; none without a file. Raises `OutpostError` (`invalid-waiver`)."""
    if not path.exists():
        return ()
    known = {cause.key for cause in causes()}
    found = []
    try:
        for entry in json.loads(path.read_text()):
            reason = str(entry["reason"]).strip()
            if not reason:
                raise ValueError(f"{entry['cause']} is waived without a reason")
            if entry["cause"] not in known:
                raise ValueError(f"there is no cause {entry['cause']}")
            expires = date.fromisoformat(entry["expires"])
            found.append(Waiver(entry["cause"], reason, expires, entry.get("stack", "")))
    except (ValueError, KeyError, TypeError) as error:
        detail = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise OutpostError(
            "invalid-waiver",
            f"{path}: {detail}.",
            remedy='Each waiver is {"cause": "ISSUE/CAUSE", "reason": "...", "expires": "YYYY-MM-DD"}.',
        ) from error
    return tuple(found)


def apply(
    judged: Sequence[Judged], waivers: Sequence[Waiver], *, stack: str, today: date
) -> tuple[tuple[Judged, ...], list[str]]:
    """Judgements with waived causes skipped, and a line about each waiver that mattered or expired."""
    mine = {waiver.cause: waiver for waiver in waivers if waiver.stack in ("", stack)}
    lines = []
    result = []
    for item in judged:
        waiver = mine.get(item.cause.key)
        if waiver is None or not item.judgement.lit:
            result.append(item)
        elif today > waiver.expires:
            lines.append(f"expired on {waiver.expires}: the waiver of {waiver.cause} ({waiver.reason})")
            result.append(item)
        else:
            text = f"waived until {waiver.expires}: {waiver.reason}"
            lines.append(f"{item.cause.key} {text}")
            result.append(Judged(item.cause, skipped(f"{text}; found: {item.judgement.summary}")))
    return tuple(result), lines
