"""What a worker leaves behind: the files with their checksums, uploaded to presigned URLs."""

import hashlib
import http.client
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from outpost.errors import OutpostError
from outpost.names import ARTIFACTS, MANIFEST
from worker.control import ControlPlane, open_own, put
from worker.stopping import Patience

CONTENT_TYPES = {
    "output.log": "application/x-ndjson",
    "changes.patch": "text/x-diff",
    "changes.bundle": "application/x-git-bundle",
    "result.json": "application/json",
    MANIFEST: "application/json",
}
# Each try is with fresh URLs. What S3 refuses is tried again a few times (clocks differ, a policy was just
# mended); while it is away or throttles, for as long as there is patience: the agent's work hangs on it.
REFUSED_TRIES = 4
PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds before the second try, doubled before each further one


class UploadError(OutpostError):
    """A file could not be stored. `refused`: S3 does not take it (4xx); `denied`: that is Access Denied."""

    def __init__(self, message: str, *, denied: bool = False, refused: bool = False) -> None:
        super().__init__("upload-denied" if denied else "upload-failed", message)
        self.denied = denied
        self.refused = refused


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A stored file: its name under the dispatch's prefix, its size in bytes, its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


def describe(directory: Path) -> list[Artifact]:
    """The artifacts that exist, in the order in which they matter to whoever reads them."""
    names = (*ARTIFACTS, MANIFEST)
    return [found for name in names if (found := _artifact(directory / name))]


def write_result(directory: Path, dispatch_id: str, attempt: int, result: Mapping[str, object]) -> None:
    """Write `result.json`: how the attempt ended."""
    document = {"dispatchId": dispatch_id, "attempt": attempt, **result}
    _write(directory / "result.json", document)


def write_manifest(directory: Path, dispatch_id: str, attempt: int) -> None:
    """List the other artifacts in `manifest.json`, so that a download can be checked."""
    files = [asdict(artifact) for artifact in describe(directory) if artifact.name != MANIFEST]
    manifest = {"schemaVersion": 1, "dispatchId": dispatch_id, "attempt": attempt, "files": files}
    _write(directory / MANIFEST, manifest)


def _write(path: Path, document: Mapping[str, object]) -> None:
    """Write a document, whole or not at all, and never through a link."""
    path.unlink(missing_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2) + "\n")
    except OSError:
        path.unlink(missing_ok=True)
        raise


def upload(
    control: ControlPlane, directory: Path, *, patience: Patience, say: Callable[[str], None]
) -> list[Artifact]:
    """Store every artifact. One that fails does not hinder the others; then raises `UploadError`."""
    artifacts = describe(directory)
    pending = {artifact.name: artifact for artifact in artifacts}
    tries, pause = 0, PAUSE
    while True:
        tries += 1
        failed = _round(control, directory, pending, patience, say)
        if not pending:
            return artifacts
        lasting = all(error.denied for error in failed) or (
            all(error.refused for error in failed) and tries >= REFUSED_TRIES
        )
        if lasting or pause > patience.left():
            missing = ", ".join(pending)
            raise failed[0] if failed else UploadError(f"No upload address for {missing}.")
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)


def _round(
    control: ControlPlane,
    directory: Path,
    pending: dict[str, Artifact],
    patience: Patience,
    say: Callable[[str], None],
) -> list[UploadError]:
    """Try each pending file once, and take off what is stored; what went wrong with the others."""
    failed: list[UploadError] = []
    for target in control.uploads([_request(artifact) for artifact in pending.values()], patience=patience):
        name = str(target.get("name"))
        if name not in pending:
            continue
        try:
            _put(str(target["url"]), target.get("headers") or {}, directory / name)
            del pending[name]
        except UploadError as error:
            say(error.message)
            failed.append(error)
    return failed


def _put(url: str, headers: Mapping[str, str], path: Path) -> None:
    try:
        status, answer = put(url, headers, path)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UploadError(f"Upload of {path.name} failed: {type(error).__name__}: {error}") from error
    if status >= 300:
        # S3 answers with XML: <Code>AccessDenied</Code>; an expired URL is AccessDenied too, and says so.
        code = re.search(r"<Code>(\w+)</Code>", answer)
        expired = status == 403 and "expired" in answer.lower()
        denied = status == 403 and not expired
        refused = status < 500 and status not in (408, 429) and not expired
        words = "Access Denied" if denied else (code[1] if code else "")
        message = f"Upload of {path.name} failed: HTTP {status} {words}".strip()
        raise UploadError(message, denied=denied, refused=refused)


def _request(artifact: Artifact) -> dict[str, object]:
    return {**asdict(artifact), "contentType": CONTENT_TYPES[artifact.name]}


def _artifact(path: Path) -> Artifact | None:
    """What there is under this name; None for nothing, and for what is no file of the worker's own."""
    try:
        with open_own(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Artifact(name=path.name, size=file.tell(), sha256=digest)
    except OSError:
        return None
