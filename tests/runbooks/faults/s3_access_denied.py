"""Faults that keep workers from storing what their agents did."""

import json

from outpost.names import TASK_ROLE, TASK_ROLE_POLICY
from tests.runbooks.faults.stack import Fault, Stack, changed, with_variables


def missing_permission(stack: Stack) -> None:
    iam, policy = stack.client("iam"), {"RoleName": TASK_ROLE, "PolicyName": TASK_ROLE_POLICY}
    before = json.dumps(iam.get_role_policy(**policy)["PolicyDocument"])
    stack.undo.callback(iam.put_role_policy, **policy, PolicyDocument=before)
    iam.delete_role_policy(**policy)


def bucket_policy_denies(stack: Stack) -> None:
    s3, bucket = stack.client("s3"), stack.names.artifacts_bucket
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    stack.undo.callback(s3.put_bucket_policy, Bucket=bucket, Policy=before)
    document = json.loads(before)
    document["Statement"].append(
        {
            "Sid": "Frozen",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


def wrong_bucket_name(stack: Stack) -> None:
    definition = stack.definition()
    settings = with_variables(definition, S3_ARTIFACTS_BUCKET="outpost-artefacts")
    stack.deploy(changed(definition, environment=settings))
    stack.steady()


FAULTS = (
    Fault("s3-access-denied/missing-permission", missing_permission, mended=True),
    Fault("s3-access-denied/bucket-policy-denies", bucket_policy_denies, mended=True),
    Fault("s3-access-denied/wrong-bucket-name", wrong_bucket_name, mended=True),
)
