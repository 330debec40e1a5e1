"""Filter patterns of CloudWatch Logs: the examples of its user guide, and the stack's own."""

import json

import pytest

from local.cloudwatch.patterns import PatternError, compiled

ENDED = json.dumps(
    {
        "event": "dispatch-ended",
        "status": "FAILED",
        "reason": None,
        "exitCode": 137,
        "late": True,
        "tags": ["a", "b"],
    }
)


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("ERROR", "[error 400] bad request", False),
        ("ERROR REQUEST", "[ERROR 400] BAD REQUEST", True),
        ("ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", False),
        ("?ERROR ?WARN", "WARN: slow", True),
        ("?ERROR ?WARN", "INFO: fine", False),
        ("ERROR -BAD", "[ERROR 400] BAD REQUEST", False),
        ("ERROR -BAD", "[ERROR 419] MISSING ARGUMENTS", True),
        ("ERROR ?BAD", "[ERROR 419] MISSING ARGUMENTS", True),  # beside a term, `?` does not count
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
        ('"INTERNAL SERVER ERROR"', "INTERNAL ERROR", False),
        ('"01HXYZ"', '{"dispatchId": "01HXYZ"}', True),  # as the guide asks for a task's log
        ('-"01HXYZ"', '{"dispatchId": "01HXYZ"}', False),
        (r'"\"event\": \"x\""', '{"event": "x"}', True),
        ("%ERR[0-9]+%", "ERR17", True),
        ("%ERR[0-9]+%", "ERR", False),
        ('{ $.event = "dispatch-ended" }', ENDED, True),
        ('{$.event="dispatch-ended"&&$.status="FAILED"}', ENDED, True),
        ('{ $.event = "dispatch-ended" && $.status = "TIMEOUT" }', ENDED, False),
        ('{ $.status = "TIMEOUT" || $.status = "FAILED" }', ENDED, True),
        ('{ $.status = "TIMEOUT" || $.status = "FAILED" && $.exitCode = 1 }', ENDED, False),
        ('{ ($.status = "TIMEOUT" || $.status = "FAILED") && $.exitCode > 100 }', ENDED, True),
        ('{ $.event = "dispatch-*" }', ENDED, True),
        ('{ $.event = "*patch" }', ENDED, False),
        ("{ $.event = dispatch-ended }", ENDED, True),
        ("{ $.exitCode = 137 }", ENDED, True),
        ("{ $.exitCode = 13* }", ENDED, True),
        ("{ $.exitCode >= 137 && $.exitCode <= 1.37e2 }", ENDED, True),
        ("{ $.exitCode != 0 }", ENDED, True),
        ("{ $.absent != 0 }", ENDED, False),
        ("{ $.status = * }", ENDED, True),
        ("{ $.reason = * }", ENDED, False),  # null is not a value
        ("{ $.reason IS NULL }", ENDED, True),
        ("{ $.absent IS NULL }", ENDED, False),
        ("{ $.absent NOT EXISTS }", ENDED, True),
        ("{ $.reason NOT EXISTS }", ENDED, False),
        ("{ $.late IS TRUE }", ENDED, True),
        ("{ $.late IS FALSE }", ENDED, False),
        ('{ $.tags[1] = "b" }', ENDED, True),
        ('{ $.tags[*] = "b" }', ENDED, True),
        ('{ $.tags[0] = "b" }', ENDED, False),
        ("{ $.status = %^FAI% }", ENDED, True),
        ('{ $.["event"] = "x" }', "no JSON", None),
        ('{ $.event = "x" }', "no JSON", False),
        ('{ $.event = "x" }', '["event"]', False),
    ],
)
def test_pattern(pattern: str, message: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(PatternError):
            compiled(pattern)
    else:
        assert compiled(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "[ip, user, code=4*]",
        "{ $.a = 1",
        "{ $.a = }",
        "{ $.a > x }",
        "a.b",
        '{ $.a = 1 } "b"',
        "{ $.a LIKE 1 }",
    ],
)
def test_what_is_not_understood_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled(pattern)
