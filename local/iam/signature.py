"""Signature version 4, checked as AWS does ("Create a signed AWS API request").

botocore only signs requests; checking is the same computation over what arrived, so it is written here.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote

from local.aws.call import Call

SKEW = timedelta(minutes=15)  # how far a request's date may be off
_AUTHORIZATION = re.compile(r"Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]+)")
_SAFE = "-_.~"
_UNSIGNED = "UNSIGNED-PAYLOAD"


class NotVersion4(Exception):  # noqa: N818 - a state of a request
    """The URL is presigned by signature version 2, which S3 takes for no bucket made after June 2020."""


class Expired(Exception):  # noqa: N818 - a state of a request
    """The request was signed too long ago, or its presigned URL has run out."""


def verified(call: Call, secret_key: str) -> bool:
    """Whether the request was signed with this secret key. Raises `Expired`, `NotVersion4`."""
    query = parse_qsl(call.environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if call.presigned:
        given = dict(query)
        if "X-Amz-Signature" not in given:
            raise NotVersion4
        credential, headers, signature = (
            given[f"X-Amz-{name}"] for name in ("Credential", "SignedHeaders", "Signature")
        )
        date, lifetime = given["X-Amz-Date"], timedelta(seconds=int(given.get("X-Amz-Expires", "0")))
        query = [(name, value) for name, value in query if name != "X-Amz-Signature"]
        payload = _UNSIGNED
    else:
        match = _AUTHORIZATION.search(call.header("Authorization"))
        if match is None:
            return False
        credential, headers, signature = match.groups()
        date, lifetime = call.header("X-Amz-Date"), SKEW
        payload = call.header("X-Amz-Content-Sha256") or hashlib.sha256(call.body).hexdigest()
    _check_date(date, lifetime)
    scope = credential.split("/", 1)[1]
    canonical = "\n".join(
        (
            call.environ["REQUEST_METHOD"],
            _path(call),
            _query(query),
            *(f"{name}:{_header(call, name)}" for name in headers.split(";")),
            "",
            headers,
            payload,
        )
    )
    text = "\n".join(("AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    wanted = hmac.new(_signing_key(secret_key, scope), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, signature)


def body_matches(call: Call) -> bool:
    """Whether the body is the one whose SHA-256 was signed (S3 signs the header alone)."""
    declared = call.header("X-Amz-Content-Sha256")
    if call.presigned or not re.fullmatch(r"[0-9a-f]{64}", declared):
        return True  # presigned, unsigned or streamed payloads carry no digest of the whole
    return hmac.compare_digest(declared, hashlib.sha256(call.body).hexdigest())


def _check_date(date: str, lifetime: timedelta) -> None:
    signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    now = datetime.now(UTC)
    if now > signed + lifetime or signed > now + SKEW:
        raise Expired


def _path(call: Call) -> str:
    """The canonical path: as sent for S3, encoded once more for every other service."""
    raw = str(call.environ.get("RAW_URI") or quote(call.environ.get("PATH_INFO", "/"))).partition("?")[0]
    if call.service == "s3":
        return quote(unquote(raw), safe=_SAFE + "/") or "/"
    return quote(raw, safe=_SAFE + "/") or "/"


def _query(pairs: list[tuple[str, str]]) -> str:
    encoded = sorted((quote(name, safe=_SAFE), quote(value, safe=_SAFE)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _header(call: Call, name: str) -> str:
    variable = name.upper().replace("-", "_")
    if variable in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        value = call.environ.get(variable, "")
    else:
        value = call.header(name)
    return " ".join(str(value).split())


@lru_cache(maxsize=256)
def _signing_key(secret_key: str, scope: str) -> bytes:
    key = b"AWS4" + secret_key.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
