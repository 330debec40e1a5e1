"""The log: bounded, redacted, whole lines."""

import io
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.journal import MAX_MESSAGE, Journal, LineSplitter, Redactor


def journal(tmp_path: Path, *secrets: str, limit: int = 1 << 20) -> tuple[Journal, io.StringIO, Path]:
    out = io.StringIO()
    path = tmp_path / "output.log"
    return Journal("01JX", path, Redactor(secrets), stdout=out, limit=limit), out, path


def test_a_long_message_becomes_several_lines_below_what_awslogs_cuts(tmp_path: Path) -> None:
    log, out, path = journal(tmp_path)
    log.say("語" * (MAX_MESSAGE * 2 + 1), stream="agent")
    log.close()
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert all(len(line.encode()) < 16 * 1024 for line in lines)
    assert "".join(json.loads(line)["message"] for line in lines) == "語" * (MAX_MESSAGE * 2 + 1)
    assert path.read_text() == out.getvalue()


def test_a_cut_log_keeps_its_end(tmp_path: Path) -> None:
    log, out, path = journal(tmp_path, limit=2000)
    for number in range(1000):
        log.say(f"line {number}")
    log.close()
    messages = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    assert messages[0] == "line 0"
    assert messages[-1] == "line 999"
    assert any("over the log's limit" in message for message in messages)
    assert len(out.getvalue()) <= 2000


def test_what_is_said_after_the_end_still_reaches_stdout(tmp_path: Path) -> None:
    log, out, path = journal(tmp_path)
    log.close()
    log.complain("upload failed")
    assert "upload failed" in out.getvalue()
    assert path.read_text() == ""


def test_a_full_disk_leaves_stdout_and_the_tail(tmp_path: Path) -> None:
    out = io.StringIO()
    log = Journal("01JX", Path("/dev/full"), Redactor(()), stdout=out)
    for number in range(2000):  # more than a buffer
        log.say(f"line {number} of the agent", stream="agent")
    assert "line 1999 of the agent" in out.getvalue()
    assert "line 1999 of the agent" in log.tail[-1]
    with pytest.raises(OSError, match="No space left"):
        log.close()
    log.complain("the disk is full")
    assert "the disk is full" in out.getvalue()


def test_a_flood_is_read_to_its_end_cheaply(tmp_path: Path) -> None:
    log, out, _path = journal(tmp_path, "the-secret-itself", limit=10_000)
    begun = time.process_time()
    for _ in range(200_000):
        log.say("y", stream="agent")
    assert time.process_time() - begun < 5  # before: 4 s for a tenth of it
    log.say("the-secret-itself, at last")
    assert len(out.getvalue()) <= 10_000
    assert json.loads(log.tail[-1])["message"] == "[redacted], at last"


@pytest.mark.parametrize(
    "text",
    [
        "the-secret-itself",
        "x-access-token:the-secret-itself in a URL",
        "eC1hY2Nlc3MtdG9rZW46dGhlLXNlY3JldC1pdHNlbGY=",
        "sk-ant-api03-0123456789abcdefghij",
        "ghp_0123456789abcdefghijABCDEFGHIJ0123456789",
        "otp_" + "0a" * 32,
        "\x1b[31mthe-secret\x00-itself\x1b[0m",
    ],
)
def test_secrets_are_redacted(text: str, tmp_path: Path) -> None:
    log, out, _ = journal(tmp_path, "the-secret-itself")
    log.say(text)
    message = json.loads(out.getvalue())["message"]
    assert "[redacted]" in message
    assert "the-secret-itself" not in message


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_chunks_do_not_change_the_lines(content: bytes, cuts: list[int]) -> None:
    whole = LineSplitter()
    expected = whole.feed(content) + whole.feed(b"", final=True)
    parts = LineSplitter()
    lines: list[str] = []
    start = 0
    for cut in sorted(cuts):
        lines += parts.feed(content[start:cut])
        start = max(start, cut)
    lines += parts.feed(content[start:]) + parts.feed(b"", final=True)
    assert lines == expected


def test_a_line_without_an_end_does_not_grow_for_ever() -> None:
    splitter = LineSplitter(limit=1000)
    lines = [line for _ in range(10) for line in splitter.feed(b"x" * 400)]
    assert lines
    assert max(map(len, lines)) <= 1400
