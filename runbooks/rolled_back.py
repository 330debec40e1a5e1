"""Faults of a revision that ECS rolled back: the service runs, and the next deployment fails the same way."""

from __future__ import annotations

from functools import wraps

from runbooks import by_hand
from runbooks.model import Check, Judgement, Verdict, fail, warn
from runbooks.observations import Region


def also_rolled_back(check: Check) -> Check:
    """Let a check of the control plane's task definition judge also the one that ECS gave up on.

    A warning once the service runs again; without a plan, because what is to be mended is not in use: it has
    to be corrected where it was declared.
    """

    @wraps(check)
    def judge_both(region: Region) -> Judgement:
        judgement = check(region)
        if judgement.verdict is not Verdict.OK:
            return judgement
        rejected = region.containers.rejected()
        if rejected is None:
            return judgement
        tried = check(region.trying(rejected))
        if not tried.lit:
            return judgement
        runs = region.containers.definition().name
        summary = (
            f"ECS rolled {rejected.name} back, and {runs} runs: {tried.summary}. Correct it where it is "
            "declared, and deploy: as it is, the next deployment fails again"
        )
        verdict = warn if region.containers.steady() else fail
        told = verdict(summary, *tried.evidence, direct=tried.direct)
        return told.by_a_person().then(by_hand.inv(region, "deploy", "--preview"))

    return judge_both
