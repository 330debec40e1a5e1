"""`docs/fault-matrix.md`: each fault that is put into the local region, and what `diagnose` makes of it.

Written by `./inv docs`; a test says when it is stale.
"""

from __future__ import annotations

from functools import partial
from inspect import getdoc
from pathlib import Path

from runbooks.catalogue import RUNBOOKS, causes
from tests.runbooks.faults.catalogue import FAULTS, below
from tests.runbooks.faults.stack import Fault

ROOT = Path(__file__).parents[3]
PATH = ROOT / "docs" / "fault-matrix.md"

_PREFACE = """\
# Faults and checks

Each row is a test: the fault is put into a local region by ordinary AWS calls, files and settings, and
`diagnose` must rank its cause first and light nothing but the causes in the third column. Where a machine
mends it, `--fix --yes` does so and the stack is healthy after; in every case it is once the fault is gone.
`./inv test -k test_matrix` runs them all. Written from the tests; do not edit.
"""


def render() -> str:
    """The whole table, in the order of the guide."""
    lines = [_PREFACE]
    for runbook in RUNBOOKS:
        lines += [f"## {runbook.title} (`{runbook.issue}`)", ""]
        lines += ["| cause, ranked first | the fault | may be lit too | then |", "|---|---|---|---|"]
        lines += [_row(cause.key, cause.code, cause.title) for cause in causes(runbook.issue)]
        lines.append("")
    return "\n".join(lines)


def _row(key: str, code: str, title: str) -> str:
    fault = FAULTS[key]
    inject = fault.inject.func if isinstance(fault.inject, partial) else fault.inject
    words = (getdoc(inject) or title).split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    also = ", ".join(f"`{each}`" for each in sorted({*below(key), *fault.also})) or "nothing"
    return f"| `{code}` | {words} | {also} | {_then(fault)} |"


def _then(fault: Fault) -> str:
    if fault.mended:
        return "mended by `--fix --yes`"
    return "a plan that asks AWS" if fault.planned else "told what a person has to do"


def write(*, check: bool = False) -> list[Path]:
    """Write the table anew, or with `check` only compare it; its path if it differed."""
    text = render()
    if PATH.is_file() and PATH.read_text() == text:
        return []
    if not check:
        PATH.write_text(text)
    return [PATH.relative_to(ROOT)]


if __name__ == "__main__":
    write()
