"""The API's client half: streams go on where they broke, downloads are checked, repeats are safe."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from outpost.api import TRIES, Api, ApiError
from outpost.errors import OutpostError

Handler = Callable[[httpx.Request], httpx.Response]
PATCH = b"diff --git a/x b/x\n"


def api(handler: Handler, pauses: list[float] | None = None) -> Api:
    waited = pauses if pauses is not None else []
    return Api("http://api.test/", "otp_key", transport=httpx.MockTransport(handler), pause=waited.append)


def event(kind: str, data: object, identity: str) -> str:
    return f"id: {identity}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def test_a_broken_stream_goes_on_after_the_last_line_that_came() -> None:
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("Last-Event-ID"))
        if len(asked) == 2:
            raise httpx.ReadError("gone")
        parts = (
            [": keepalive\n\n", event("log", {"message": "one"}, "c~1")]
            if len(asked) == 1
            else [event("log", {"message": "two"}, "c~2"), event("end", {"status": "COMPLETED"}, "c~2")]
        )
        return httpx.Response(200, text="".join(parts))

    lines: list[str] = []
    assert api(answer).follow("ID", lambda line: lines.append(line["message"])) == "COMPLETED"
    assert (lines, asked) == (["one", "two"], [None, "c~1", "c~1"])


def test_a_stream_that_never_says_anything_is_given_up() -> None:
    pauses: list[float] = []
    with pytest.raises(OutpostError) as caught:
        api(lambda _: httpx.Response(200, text="retry: 1000\n\n"), pauses).follow("ID", lambda line: None)
    assert caught.value.code == "stream-lost"
    assert len(pauses) == TRIES - 1


def test_a_stream_that_is_refused_is_an_error_at_once() -> None:
    problem = {"code": "dispatch-not-found", "detail": "There is no such dispatch."}
    with pytest.raises(ApiError) as caught:
        api(lambda _: httpx.Response(404, json=problem)).follow("ID", lambda line: None)
    assert (caught.value.status, caught.value.code) == (404, "dispatch-not-found")


def test_a_repeated_post_carries_the_same_idempotency_key_and_waits_as_told() -> None:
    keys: list[str] = []
    pauses: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise httpx.ConnectError("down")
        if len(keys) == 2:
            return httpx.Response(429, headers={"Retry-After": "7"}, json={"code": "rate-limited"})
        return httpx.Response(202, json={"dispatchId": "ID"})

    assert api(answer, pauses).dispatch({"agent": "claude", "task": "t"}) == {"dispatchId": "ID"}
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert pauses[1] == 7


@pytest.mark.parametrize(
    ("status", "headers"), [(422, {}), (403, {}), (500, {}), (429, {"Retry-After": "40000"})]
)
def test_what_repeating_does_not_mend_is_not_repeated(status: int, headers: dict[str, str]) -> None:
    calls: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(status, headers=headers, json={"code": "no", "detail": "No", "remedy": "Do."})

    with pytest.raises(ApiError, match=r"^No\. Do\.$"):
        api(answer).get("ID")
    assert len(calls) == 1


def stored(content: bytes, listed: bytes) -> Handler:
    """An API that lists one artifact whose manifest is of `listed`, and storage that has `content`."""
    sha256 = hashlib.sha256(listed).hexdigest()
    manifest = json.dumps({"files": [{"name": "changes.patch", "sha256": sha256}]}).encode()
    files = {"changes.patch": content, "manifest.json": manifest}

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        if name != "artifacts":
            assert "X-API-Key" not in request.headers
            return httpx.Response(200, content=files[name])
        rows = [
            {"name": each, "url": f"http://s3.test/{each}", "sha256": hashlib.sha256(data).hexdigest()}
            for each, data in files.items()
        ]
        return httpx.Response(200, json={"artifacts": rows})

    return answer


def test_a_download_is_checked_against_the_manifest(tmp_path: Path) -> None:
    saved = api(stored(PATCH, PATCH)).download("ID", tmp_path / "ID")
    assert [path.name for path in saved] == ["manifest.json", "changes.patch"]
    assert (tmp_path / "ID" / "changes.patch").read_bytes() == PATCH


def test_a_file_that_the_manifest_does_not_describe_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(OutpostError) as caught:
        api(stored(b"something else", PATCH)).download("ID", tmp_path)
    assert caught.value.code == "artifact-altered"
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    row = {"name": "../evil", "url": "http://s3.test/evil", "sha256": "0" * 64}
    with pytest.raises(OutpostError) as caught:
        api(lambda _: httpx.Response(200, json={"artifacts": [row]})).download("ID", tmp_path / "to")
    assert caught.value.code == "artifact-altered"
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("missing", ["OUTPOST_API_URL", "OUTPOST_API_KEY"])
def test_a_missing_variable_is_named(missing: str) -> None:
    environment = {"OUTPOST_API_URL": "http://api.test", "OUTPOST_API_KEY": "otp_key"} | {missing: " "}
    with pytest.raises(OutpostError, match=missing):
        Api.from_environment(environment)
