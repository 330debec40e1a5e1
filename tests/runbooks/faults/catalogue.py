"""Every fault, by the cause that it brings about."""

from __future__ import annotations

import importlib

from runbooks.catalogue import RUNBOOKS, causes
from tests.runbooks.faults.stack import Fault

EXPLAINS = {cause.key: cause.explains for cause in causes()}


def _faults() -> dict[str, Fault]:
    found: dict[str, Fault] = {}
    for runbook in RUNBOOKS:
        module = importlib.import_module(f"tests.runbooks.faults.{runbook.issue.replace('-', '_')}")
        found |= {fault.cause: fault for fault in module.FAULTS}
    return found


FAULTS = _faults()


def below(cause: str) -> set[str]:
    """Every cause that is declared to follow from this one, directly or through another."""
    found: set[str] = set()
    queue = [cause]
    while queue:
        for effect in EXPLAINS[queue.pop()]:
            if effect not in found and effect != cause:
                found.add(effect)
                queue.append(effect)
    return found
