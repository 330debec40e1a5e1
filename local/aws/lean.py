"""What of moto is never needed here is not loaded: a region starts in half the time.

moto reads the catalogues of EC2 instance types, of their offerings and of machine images when it is
imported, and botocore's list of endpoints three times; the local region has Fargate only.
"""

import os
from typing import Any

import boto3
from moto.utilities import utils

UNUSED = ("ec2/resources/instance_type",)
SESSION = boto3.Session()  # one for all, since each reads botocore's data for itself


def install() -> None:
    """Call before anything of moto but `moto.utilities` is imported."""
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    os.environ.setdefault("MOTO_EVENTS_INVOKE_HTTP", "false")
    load = utils.load_resource

    def load_used(path: str) -> Any:
        if not path.startswith(UNUSED):
            return load(path)
        return {} if path.endswith("instance_types.json") else []

    utils.load_resource = load_used
    available = boto3.Session.get_available_regions
    boto3.Session.get_available_regions = (  # type: ignore[method-assign]
        lambda self, *service, **partition: available(SESSION, *service, **partition)
    )
