"""Which stack, where, and as whom a run looks: parsed once, from the environment and the flags."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from outpost.errors import OutpostError
from outpost.names import PROFILE, REGION, Names

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> int:
    """Seconds of `90s`, `10m`, `2h` or `1d`. Raises `OutpostError` (`invalid-duration`)."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdigit() or int(number) == 0:
        raise OutpostError(
            "invalid-duration", f"{text!r} is not a duration.", remedy="Write 90s, 10m, 2h or 1d."
        )
    return int(number) * _UNITS[unit]


def ago(seconds: float) -> str:
    """A length of time in the unit that people would use."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is looked at.

    `profile` is None when credentials come from elsewhere (environment, role); `endpoint` is set only when
    the environment names one, as the local region's does. `since` is how far back to look, in seconds.
    """

    names: Names
    region: str = REGION
    profile: str | None = PROFILE
    api_url: str = ""
    api_key: str = field(default="", repr=False)
    since: int = 3600
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    flags: tuple[str, ...] = ()  # that make another task look at the same stack

    @property
    def stack(self) -> str:
        return self.names.stack

    def at_present(self) -> Target:
        """The same target, looked at now."""
        return replace(self, now=datetime.now(UTC))

    @classmethod
    def from_environment(
        cls,
        *,
        stack: str = "",
        since: str = "1h",
        local: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Target:
        """Read the settings. Raises `OutpostError` for a bad stack name or duration, or no local region."""
        given = dict(os.environ if environment is None else environment)
        if local:
            given |= _local_region(given)
        profile = given.get("AWS_PROFILE")
        if profile is None and not given.get("AWS_ACCESS_KEY_ID"):
            profile = PROFILE
        return cls(
            names=Names(stack or given.get("OUTPOST_STACK") or "dev", given.get("OUTPOST_BUCKET_SUFFIX", "")),
            region=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or REGION,
            profile=profile,
            api_url=given.get("OUTPOST_API_URL", "").rstrip("/"),
            api_key=given.get("OUTPOST_API_KEY", ""),
            since=parse_duration(since),
            environment=given,
            flags=(*(("--stack", stack) if stack else ()), *(("--local",) if local else ())),
        )


def _local_region(environment: Mapping[str, str]) -> dict[str, str]:
    """What `eval "$(./inv local.env)"` would set. Raises `OutpostError` without a local region."""
    state = Path(environment.get("OUTPOST_STATE_DIR", ".outpost")).resolve()
    try:
        about = json.loads((state / "region.json").read_text())
    except (OSError, ValueError):
        raise OutpostError(
            "no-local-region", "There is no local region running.", remedy="Start it: ./inv local.up"
        ) from None
    return {
        "AWS_CONFIG_FILE": str(state / "aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(state / "aws" / "credentials"),
        "AWS_PROFILE": PROFILE,
        "OUTPOST_API_URL": about.get("apiUrl", ""),
        "OUTPOST_API_KEY": about.get("apiKey", ""),
    }
