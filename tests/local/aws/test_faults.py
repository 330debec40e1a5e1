"""Faults of the API that end by themselves."""

import threading
import time

import pytest

from local.aws.call import Call
from local.aws.errors import AwsError
from local.aws.faults import ApiFault, Faults


def call() -> Call:
    return Call(
        service="sqs",
        operation="SendMessage",
        protocol="json",
        region="us-east-1",
        access_key="ASIA1",
        session_token="",
        presigned=False,
        body=b"",
        environ={"PATH_INFO": "/"},
        lock=threading.RLock(),
    )


def test_a_fault_that_lasts_ends() -> None:
    faults = Faults(api=[ApiFault(kind="throttle", lasts=60)])
    with pytest.raises(AwsError):
        faults.guard(call())
    faults.api[0].since = time.monotonic() - 60
    faults.guard(call())
    assert faults.api == []
