"""Judging a broken world: the whole run, as an operator would make it."""

from __future__ import annotations

import json
from typing import Any

from runbooks.model import Verdict
from runbooks.ranking import Judged
from runbooks.run import Report, diagnose
from tests.runbooks.world import World, target

CONTROL_PLANE_LOG = "/ecs/outpost-control-plane"
KEY = "otp_" + "ab" * 32  # well formed, and nobody's
URL = "http://api.example"


def client(**more: Any) -> dict[str, Any]:
    """Settings of a target whose reader has a client configured."""
    return {"api_url": URL, "api_key": KEY} | more


def judged(world: World, key: str, **settings: Any) -> Judged:
    """One cause out of a whole run."""
    report = diagnose(target(**settings), world)
    return next(item for item in report.judged if item.cause.key == key)


def assert_root(world: World, key: str, verdict: Verdict, *also: str, **settings: Any) -> Report:
    """The cause is ranked first with this verdict, and nothing is lit but it and what is named."""
    report = diagnose(target(**settings), world)
    shown = [(f.cause.key, f.verdict.value, f.judgement.summary) for f in report.findings]
    assert report.findings, "nothing was found"
    first = report.findings[0]
    assert (first.cause.key, first.verdict) == (key, verdict), shown
    assert first.judgement.evidence, shown
    assert report.lit == {key, *also}, shown
    return report


def operations(report: Report) -> list[str]:
    """What the first finding's plan would call."""
    plan = report.findings[0].plan
    return [action.call.operation for action in plan.actions] if plan else []


def log(world: World, event: str, **fields: Any) -> None:
    """A warning of the control plane."""
    line = {"level": "warning", "event": event, "message": event} | fields
    world.log.setdefault(CONTROL_PLANE_LOG, []).append(json.dumps(line))
