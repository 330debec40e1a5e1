"""The log: one JSON object a line, with its context, without secrets; metrics as CloudWatch reads them."""

import json
import logging

import pytest

from service import log

SECRETS = [
    "otp_" + "ab" * 32,
    "sk-ant-" + "a" * 30,
    "ghp_" + "A" * 36,
    "github_pat_" + "a" * 40,
    "AKIA" + "A" * 16,
    "Bearer " + "x" * 40,
    "https://user:pass@example.com/a.git",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_logged(secret: str) -> None:
    shown = log.redact(f"before {secret} after")
    assert "[redacted]" in shown
    assert secret.removeprefix("https://").split("@")[0] not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


def test_a_line_carries_the_requests_context(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info")
    try:
        log.clear(requestId="r1")
        log.bind(tenantId="acme")
        log.info("hello", event="greeting", durationMs=1.5, sent="otp_" + "ab" * 32)
        log.metric("DispatchAccepted", agent="claude")
        line, metric = (json.loads(each) for each in capsys.readouterr().out.splitlines())
    finally:
        logging.basicConfig(force=True)
    assert line["message"] == "hello"
    assert line["sent"] == "[redacted]", "a field is as good as a message"
    assert (line["requestId"], line["tenantId"], line["event"]) == ("r1", "acme", "greeting")
    directive = metric["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "Outpost"
    assert directive["Dimensions"] == [["agent"]]
    assert metric["DispatchAccepted"] == 1
