"""Publishing: the last report where the control plane can read it, which may not look for itself."""

from __future__ import annotations

import json

from outpost.names import Names
from runbooks.remedies import Caller
from runbooks.report.document import document
from runbooks.run import Report

KEY = "findings/latest.json"  # in the artifacts bucket; dispatches' keys begin with a ULID


def publish(report: Report, caller: Caller, names: Names) -> str:
    """Write the report's document, with the time it is of. Returns where it is.

    Raises `Absent` or `CouldNotLook` when the bucket does not take it.
    """
    body = document(report) | {"publishedAt": report.target.now.isoformat(timespec="seconds")}
    caller.call(
        "s3:PutObject",
        {
            "Bucket": names.artifacts_bucket,
            "Key": KEY,
            "Body": json.dumps(body).encode(),
            "ContentType": "application/json",
        },
    )
    return f"s3://{names.artifacts_bucket}/{KEY}"
