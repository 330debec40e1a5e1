"""An upload that arrives altered is refused as S3 refuses it."""

import hashlib
from base64 import b64encode
from threading import RLock

import pytest

from local.aws import checksums
from local.aws.call import understand
from local.aws.errors import AwsError

BODY = b"the patch"
DIGEST = b64encode(hashlib.sha256(BODY).digest()).decode()


def put(body: bytes, digest: str, **headers: str) -> None:
    environ = {"REQUEST_METHOD": "PUT", "PATH_INFO": "/outpost-artifacts-dev/ID/changes.patch"}
    checksums.guard(understand(environ | {"HTTP_X_AMZ_CHECKSUM_SHA256": digest} | headers, body, RLock()))


def test_another_body_than_the_announced_one_is_refused() -> None:
    with pytest.raises(AwsError) as caught:
        put(BODY + b"!", DIGEST)
    assert (caught.value.code, caught.value.status) == ("BadDigest", 400)


def test_the_announced_body_and_one_that_nobody_announced_are_taken() -> None:
    put(BODY, DIGEST)
    put(BODY, "")


def test_a_chunked_body_is_left_to_its_own_trailer() -> None:
    put(BODY, "AAAA", HTTP_X_AMZ_CONTENT_SHA256="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
