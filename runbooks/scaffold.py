"""A new issue: its runbook, test, fault and place in the catalogue, such that everything passes."""

from __future__ import annotations

import re
from pathlib import Path

from outpost.errors import OutpostError

ROOT = Path(__file__).parent.parent
_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")

_RUNBOOK = '''"""{title}: say in one sentence what it is."""

from __future__ import annotations

from runbooks.alarms import LogAlarm
from runbooks.model import Evidence, Judgement, Runbook, Severity, ok, warn
from runbooks.observations import Region

RUNBOOK = Runbook(
    issue="{issue}",
    title="{title}",
    section="Integration",
    symptoms=("What people see",),
    alarm=LogAlarm(log_group="/ecs/outpost-control-plane", pattern='{{ $.level = "DEBUG" }}'),
    severity=Severity.DEGRADED,
)


@RUNBOOK.cause("{cause}", guide="The cause in words", solution="What to do about it.")
def {function}(region: Region) -> Judgement:
    """What is wrong when this cause holds."""
    definition = region.containers.definition()
    level = definition.environment.get("LOG_LEVEL", "info")
    if level != "debug":
        return ok(f"the log level is {{level}}")
    seen = Evidence("ecs:DescribeTaskDefinition", definition.name, f"LOG_LEVEL={{level}}", "info")
    return warn("the control plane logs everything", seen)
'''

_TEST = '''"""{title}: what its check says of a stack that is described to it."""

from runbooks.model import Verdict
from tests.runbooks.judging import judged
from tests.runbooks.world import World


def test_{function}(world: World) -> None:
    assert judged(world, "{issue}/{cause}").judgement.verdict is Verdict.OK
    world.environment["LOG_LEVEL"] = "debug"
    world.put_control_plane(7)
    assert judged(world, "{issue}/{cause}").judgement.verdict is Verdict.WARN
'''

_FAULT = '''"""Faults of {issue}."""

from tests.runbooks.faults.stack import Fault, Stack, changed, with_variables


def {function}(stack: Stack) -> None:
    """How it comes about."""
    definition = stack.definition()
    stack.deploy(changed(definition, environment=with_variables(definition, LOG_LEVEL="debug")))


FAULTS = (Fault("{issue}/{cause}", {function}),)
'''


def new(issue: str, cause: str, title: str = "", *, root: Path = ROOT) -> list[Path]:
    """Write the files of a new issue. Returns them; raises `OutpostError` (`invalid-issue`)."""
    for slug in (issue, cause):
        if not _SLUG.fullmatch(slug):
            raise OutpostError(
                "invalid-issue",
                f"{slug!r} is not a code.",
                remedy="Use words in lower case with hyphens between.",
            )
    module, function = issue.replace("-", "_"), cause.replace("-", "_")
    runbook = root / "runbooks" / "issues" / f"{module}.py"
    tests = root / "tests" / "runbooks"
    test, fault = tests / "issues" / f"test_{module}.py", tests / "faults" / f"{module}.py"
    if runbook.exists():
        raise OutpostError("invalid-issue", f"There is an issue {issue} already.", remedy=f"Edit {runbook}.")
    values = {
        "issue": issue,
        "cause": cause,
        "function": function,
        "title": title or issue.replace("-", " ").capitalize(),
    }
    runbook.write_text(_RUNBOOK.format(**values))
    test.write_text(_TEST.format(**values))
    fault.write_text(_FAULT.format(**values))
    catalogue = root / "runbooks" / "catalogue.py"
    catalogue.write_text(_listed(catalogue.read_text(), module))
    return [runbook, test, fault, catalogue]


def _listed(source: str, module: str) -> str:
    """The catalogue with one more module: imported in its alphabetical place, and last in order."""
    head, names, rest = re.split(
        r"(?<=from runbooks.issues import \(\n)(.*?)(?=\n\))", source, maxsplit=1, flags=re.S
    )
    imported = sorted([*names.splitlines(), f"    {module},"])
    ordered = rest.replace(".RUNBOOK,\n)", f".RUNBOOK,\n    {module}.RUNBOOK,\n)", 1)
    return head + "\n".join(imported) + ordered
