"""Where Pulumi keeps the stacks' state: a bucket and a key in the account, made at the first deployment.

Set PULUMI_BACKEND_URL to keep it elsewhere, such as in Pulumi Cloud; nothing is made then.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.deploy_place import Place

KEY_ALIAS = "alias/outpost-pulumi"
BACKEND = "PULUMI_BACKEND_URL"


@dataclass(frozen=True, kw_only=True)
class State:
    """`backend` is a URL as `pulumi login` takes it; `secrets_provider` is None for the backend's own."""

    backend: str
    secrets_provider: str | None
    bucket: str | None = None  # the account's own, else None

    @classmethod
    def of(cls, place: Place, environment: Mapping[str, str]) -> "State":
        """What the environment says, else the account's bucket."""
        if environment.get(BACKEND):
            return cls(backend=environment[BACKEND], secrets_provider=None)
        bucket = f"outpost-pulumi-{place.account}-{place.target.region}"
        return cls(
            backend=f"s3://{bucket}?region={place.target.region}",
            secrets_provider=f"awskms://{KEY_ALIAS}?region={place.target.region}",
            bucket=bucket,
        )

    def calls(self, place: Place) -> list[str]:
        """What `make` is going to call."""
        if self.bucket is None:
            return []
        found = (
            [] if _has_bucket(place, self.bucket) else [f"s3:CreateBucket {self.bucket} (private, versioned)"]
        )
        return found if _has_key(place) else [*found, f"kms:CreateKey {KEY_ALIAS} (rotated)"]

    def make(self, place: Place) -> None:
        """Makes the bucket and the key unless they are there."""
        if self.bucket is None:
            return
        if not _has_bucket(place, self.bucket):
            _make_bucket(place, self.bucket)
        if not _has_key(place):
            _make_key(place)


def _has_bucket(place: Place, bucket: str) -> bool:
    s3 = place.client("s3")
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=place.account)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
            return False
        raise
    return True


def _make_bucket(place: Place, bucket: str) -> None:
    s3: Any = place.client("s3")
    region = place.target.region
    # us-east-1 is what no constraint means; S3 refuses it by name.
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, ObjectOwnership="BucketOwnerEnforced", **where)
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    arn = f"arn:aws:s3:::{bucket}"
    tls_only = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls_only]}))


def _has_key(place: Place) -> bool:
    kms = place.client("kms")
    try:
        kms.describe_key(KeyId=KEY_ALIAS)
    except kms.exceptions.NotFoundException:
        return False
    return True


def _make_key(place: Place) -> None:
    kms: Any = place.client("kms")
    key = kms.create_key(Description="Encrypts the secrets in the state of Outpost's stacks")["KeyMetadata"]
    kms.enable_key_rotation(KeyId=key["KeyId"])
    kms.create_alias(AliasName=KEY_ALIAS, TargetKeyId=key["KeyId"])
