"""What the declarations promise to those who read them as data: the policy, the alarms, the report."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from runbooks.alarms import alarm_name, declared, detected
from runbooks.catalogue import causes
from runbooks.narrowing import issue_of_alarm
from runbooks.permissions import OPERATIONS

ROOT = Path(__file__).parents[2]


def test_a_code_alone_names_its_cause() -> None:
    """A report folds causes by their codes, so no two issues share one."""
    codes = [cause.code for cause in causes()]
    assert len(codes) == len(set(codes))


def test_an_alarm_leads_back_to_its_issue() -> None:
    for issue, title, _ in declared():
        assert title
        if issue in detected():
            assert issue_of_alarm(alarm_name("dev", issue), "dev") == issue
            assert issue_of_alarm(issue, "dev") == issue


def test_reads_and_permissions_are_the_same() -> None:
    """Each declared read is made somewhere, each read that is made is declared."""
    used: set[str] = set()
    for path in (ROOT / "runbooks" / "observations").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                if name in ("_look", "look"):
                    used.add(str(node.args[0].value))
    used.add("sts:GetCallerIdentity")
    assert used == set(OPERATIONS)


def test_evidence_names_declared_reads() -> None:
    sources: set[str] = set()
    for path in (ROOT / "runbooks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Evidence":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    sources.add(str(first.value))
    assert sources <= set(OPERATIONS)


def test_declarations_import_no_aws_library() -> None:
    code = (
        "import sys, runbooks.alarms as alarms; alarms.declared();"
        "print([name for name in sys.modules if name.startswith(('boto', 'pulumi'))])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert printed.stdout.strip() == "[]"


def test_runbooks_do_not_print() -> None:
    for path in (ROOT / "runbooks").rglob("*.py"):
        if path.name != "tasks.py":
            assert not re.search(r"^\s*print\(", path.read_text(), re.MULTILINE), path
