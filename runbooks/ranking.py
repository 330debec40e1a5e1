"""Ranking: the root first, what follows from it folded under it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runbooks.model import Cause, Judgement, Verdict
from runbooks.remedies import Plan

_ORDER = {Verdict.FAIL: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A cause that holds, or could not be told. `effects`: found causes that follow from it."""

    cause: Cause
    judgement: Judgement
    rank: int
    effects: tuple[Cause, ...] = ()
    plan: Plan | None = None
    unplanned: str = ""  # what kept a plan from being made

    @property
    def explains(self) -> tuple[str, ...]:
        """The codes of the effects."""
        return tuple(cause.code for cause in self.effects)

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict


@dataclass(frozen=True)
class Judged:
    """One cause with its judgement and the plan that would mend it."""

    cause: Cause
    judgement: Judgement
    plan: Plan | None = None
    unplanned: str = ""  # what kept a plan from being made


def rank(judged: Sequence[Judged]) -> tuple[Finding, ...]:
    """Findings in the order to read them; causes explained by another found cause are folded into it.

    By verdict, then whom it hurts, then whether it was seen directly, then how much it explains, then the
    order of the guide.
    """
    lit = {item.cause.key: item for item in judged if item.judgement.lit}
    folded = _folded(lit)
    roots = [
        (position, item)
        for position, item in enumerate(judged)
        if item.judgement.verdict in _ORDER and item.cause.key not in folded
    ]
    below = {key: _below(key, lit) for key in lit}

    def order(entry: tuple[int, Judged]) -> tuple[int, int, bool, int, int]:
        position, item = entry
        return (
            _ORDER[item.judgement.verdict],
            item.cause.severity,
            not item.judgement.direct,
            -len(below.get(item.cause.key, ())),
            position,
        )

    return tuple(
        Finding(
            cause=item.cause,
            judgement=item.judgement,
            rank=number,
            effects=tuple(lit[key].cause for key in below.get(item.cause.key, ())),
            plan=item.plan,
            unplanned=item.unplanned,
        )
        for number, (_, item) in enumerate(sorted(roots, key=order), start=1)
    )


def _folded(lit: Mapping[str, Judged]) -> set[str]:
    """Causes that a found cause explains. A warning does not explain a failure away."""
    return {
        effect
        for item in lit.values()
        for effect in _effects(item, lit)
        if not (lit[effect].judgement.verdict is Verdict.FAIL and item.judgement.verdict is Verdict.WARN)
    }


def _effects(item: Judged, lit: Mapping[str, Judged]) -> Iterable[str]:
    return (key for key in item.cause.explains if key in lit and key != item.cause.key)


def _below(key: str, lit: Mapping[str, Judged]) -> list[str]:
    """Everything found that follows from a cause, directly or through another."""
    found: list[str] = []
    queue = [key]
    while queue:
        for effect in _effects(lit[queue.pop(0)], lit):
            if effect not in found and effect != key:
                found.append(effect)
                queue.append(effect)
    return found
