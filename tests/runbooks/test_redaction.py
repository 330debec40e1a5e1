"""Redaction: secrets of every shape go, what a reader needs stays."""

import pytest

from runbooks.redaction import redact, redacted

KEY = "otp_" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "sk-ant-api03-" + "x" * 40,
        "sk-proj-" + "y" * 40,
        "xai-" + "z" * 40,
        "AIza" + "k" * 35,
        "ghp_" + "a" * 36,
        "github_pat_" + "b" * 40,
        "AKIA" + "C" * 16,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "key={}", '{{"token": "{}"}}', "Authorization: Bearer {}", "a {} b"]
)
def test_secrets_go(secret: str, around: str) -> None:
    assert secret not in redact(around.format(secret))


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2-hunter2",
        '"DB_SECRET": "hunter2-hunter2"',
        "https://user:hunter2-hunter2@github.com/a/b",
        "https://s3/x?X-Amz-Signature=hunter2-hunter2&a=b",
    ],
)
def test_named_secrets_go(text: str) -> None:
    assert "hunter2" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:outpost/agents/anthropic-AbCdEf",
        "API_KEYS_TABLE=outpost-api-keys-dev",
        "ANTHROPIC_API_KEY not set",
        "WORKER_TOKEN_KEY is not set",
        "key otp_0123456789a... is revoked",
        "no value for outpost/agents/openai",
        'curl -H "X-API-Key: $OUTPOST_API_KEY" https://api.example/fleet',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_key_keeps_its_prefix() -> None:
    assert redact(KEY).startswith(KEY[:15])


def test_variables_named_like_secrets_are_masked_whatever_they_hold() -> None:
    environment = [{"name": "DB_PASSWORD", "value": "a"}, {"name": "API_KEYS_TABLE", "value": "keys"}]
    assert redacted(environment) == [
        {"name": "DB_PASSWORD", "value": "[redacted]"},
        {"name": "API_KEYS_TABLE", "value": "keys"},
    ]
    assert redacted({"env": {"OUTPOST_API_KEY": "a"}, "n": (1, None)}) == {
        "env": {"OUTPOST_API_KEY": "[redacted]"},
        "n": [1, None],
    }
