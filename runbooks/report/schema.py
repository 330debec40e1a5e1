"""The published JSON schema of `./inv diagnose --format json` and of `--all`, version 1."""

from __future__ import annotations

import json
from typing import Any

from runbooks.run import SCHEMA_VERSION

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}


def _object(members: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_CALL = _object({"operation": _TEXT, "parameters": {"type": "object"}})
_REMEDY = _object(
    {"automatic": {"type": "boolean"}, "plan": _TEXT, "calls": _list(_CALL), "alsoBroken": _list(_TEXT)}
)
_FINDING = _object(
    {
        "issue": _TEXT,
        "cause": _TEXT,
        "verdict": {"enum": ["FAIL", "WARN", "UNKNOWN"]},
        "rank": {"type": "integer", "minimum": 1},
        "title": _TEXT,
        "summary": _TEXT,
        "evidence": _list(_object({"source": _TEXT, "resource": _TEXT, "saw": _TEXT, "expected": _TEXT})),
        "solution": _TEXT,
        "commands": _list(_TEXT),
        "remedy": {"oneOf": [{"type": "null"}, _REMEDY]},
        "explains": _list(_TEXT),
    }
)
_REFUTED = _object({"issue": _TEXT, "cause": _TEXT, "verdict": {"enum": ["OK", "SKIPPED"]}, "summary": _TEXT})
_DISPATCH = _object(
    {
        "dispatchId": _TEXT,
        "tenantId": _TEXT,
        "status": _TEXT,
        "summary": _TEXT,
        "unexplained": _TEXT,
        "life": _list(_object({"at": {"type": ["string", "null"]}, "text": _TEXT})),
    }
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "What ./inv diagnose --format json prints",
    **_object(
        {
            "schemaVersion": {"const": SCHEMA_VERSION},
            "stack": _TEXT,
            "verdict": {"enum": ["healthy", "failing", "warning", "unknown"]},
            "elapsedSeconds": {"type": "number", "minimum": 0},
            "calls": _object(
                {"total": _COUNT, "byOperation": {"type": "object", "additionalProperties": _COUNT}}
            ),
            "findings": _list(_FINDING),
            "checked": _COUNT,
            "refuted": _list(_REFUTED),
            "dispatch": _DISPATCH,
        },
        optional=("refuted", "dispatch"),
    ),
}


def render() -> str:
    return json.dumps(SCHEMA, indent=2) + "\n"
