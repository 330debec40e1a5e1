"""S3 checks what is put: an object whose SHA-256 is not the announced one is refused, not kept."""

import hashlib
from base64 import b64encode

from local.aws.call import Call
from local.aws.errors import AwsError


def guard(call: Call) -> None:
    """Raise `BadDigest` for a PUT whose body does not fit `x-amz-checksum-sha256`.

    A chunked upload carries its checksum behind the body; moto reads that one.
    """
    wanted = call.header("x-amz-checksum-sha256")
    if call.service != "s3" or call.environ.get("REQUEST_METHOD") != "PUT" or not wanted:
        return
    if call.header("x-amz-content-sha256").startswith("STREAMING-"):
        return
    if b64encode(hashlib.sha256(call.body).digest()).decode() != wanted:
        raise AwsError("BadDigest", "The SHA256 you specified did not match the calculated checksum.")
