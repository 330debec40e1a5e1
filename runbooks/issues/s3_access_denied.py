"""S3 access denied: artifacts cannot be uploaded."""

from __future__ import annotations

import json
import re

from outpost.names import TASK_ROLE, TASK_ROLE_POLICY
from outpost.policy import Decision, Request, Verdict, evaluate, parse
from runbooks.alarms import LogAlarm
from runbooks.definitions import deploy, with_environment
from runbooks.grants import put_inline_policy
from runbooks.looking import Absent
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, skipped, warn
from runbooks.observations import Region
from runbooks.remedies import Action, Call, Plan

RUNBOOK = Runbook(
    issue="s3-access-denied",
    title="S3 access denied",
    section="AWS infrastructure",
    symptoms=("Artifact upload fails", 'Status: "Access Denied"'),
    alarm=LogAlarm(
        log_group="/ecs/outpost-control-plane",
        # Workers upload, with addresses that the control plane signs: it learns of a denial from them.
        pattern='{ $.event = "dispatch-ended" && $.issue = "s3-access-denied" }',
    ),
    severity=Severity.DISPATCHES,
)

UPLOAD = "s3:PutObject"  # presigned by the control plane's role, used by workers
# Prefixes of the condition keys that say where a request comes from.
OF_THE_REQUEST = ("aws:source", "aws:vpc", "aws:useragent", "aws:referer")


def _bucket(region: Region) -> str:
    """The stack's bucket: what the setting names if that is of the stack, or else what it should be."""
    named = region.containers.definition().environment.get("S3_ARTIFACTS_BUCKET", "")
    return named if _of_stack(region, named) else region.names.artifacts_bucket


def _of_stack(region: Region, bucket: str) -> bool:
    """A stack's bucket may have a suffix, since bucket names are global."""
    return (
        re.fullmatch(re.escape(f"outpost-artifacts-{region.names.stack}") + r"(-[a-z0-9-]+)?", bucket)
        is not None
    )


def _role(region: Region) -> str:
    return region.containers.definition().task_role or TASK_ROLE


def _allow_upload(region: Region) -> Plan | None:
    """Put back the role's policy for artifacts; a person decides where a policy denies on purpose."""
    bucket, role = f"arn:aws:s3:::{_bucket(region)}", _role(region)
    if region.access.may(role, UPLOAD, bucket + "/x").verdict is Verdict.EXPLICIT_DENY:
        return None
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Objects",
                "Effect": "Allow",
                "Action": ["s3:GetObject", UPLOAD],
                "Resource": [f"{bucket}/*"],
            },
            {"Sid": "Listing", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket]},
        ],
    }
    return put_inline_policy(region, role, TASK_ROLE_POLICY, document)


@RUNBOOK.cause(
    "missing-permission",
    guide="Missing IAM permission",
    solution="Add s3:PutObject to task role.",
    remedy=_allow_upload,
)
def missing_permission(region: Region) -> Judgement:
    """The task role may not put objects into the artifacts bucket."""
    role, resource = _role(region), f"arn:aws:s3:::{_bucket(region)}/DISPATCH_ID/output.log"
    try:
        decision = region.access.may(role, UPLOAD, resource)
    except Absent as absent:
        return fail(
            f"there is no role {role}", Evidence(absent.operation, role, absent.code, "the task role")
        )
    if decision.allowed:
        return ok(f"{role} may put objects into {_bucket(region)} (policy {_by(decision)})")
    return fail(
        f"{role} may not {UPLOAD}: {decision.verdict.value}",
        Evidence("iam:GetRolePolicy", role, f"{decision.verdict.value} of {UPLOAD}", f"allow on {resource}"),
        *lost(region),
    )


def lost(region: Region) -> list[Evidence]:
    """Dispatches whose artifacts were refused, as their workers reported."""
    return [
        Evidence("dynamodb:Query", f"dispatch {job.id}", job.reason, "stored artifacts")
        for job in region.dispatches.failed_for(RUNBOOK.issue)[:3]
    ]


def _by(decision: Decision) -> str:
    return decision.statement.policy if decision.statement else "none"


def _denial(region: Region, text: str) -> Decision:
    """What a bucket policy (JSON text) says to the task role's upload over TLS."""
    account = region.access.account()
    role = f"arn:aws:iam::{account}:role/{_role(region)}"
    request = Request(
        action=UPLOAD,
        resource=f"arn:aws:s3:::{_bucket(region)}/DISPATCH_ID/output.log",
        context={
            "aws:SecureTransport": "true",
            "aws:PrincipalArn": role,
            "aws:PrincipalAccount": account,
            "aws:PrincipalType": "AssumedRole",
        },
        principals=frozenset({role}),
        account=account,
    )
    return evaluate([parse(text, "bucket policy")], request)


def _depends_on(decision: Decision) -> list[str]:
    """Condition keys of the denial that are the request's own, and cannot be seen from here."""
    conditions = decision.statement.conditions if decision.statement else ()
    return sorted({c.key for c in conditions if c.key.lower().startswith(OF_THE_REQUEST)})


def _without_denials(region: Region) -> Plan | None:
    """The bucket's policy without the statements that deny the upload; a person judges conditional ones."""
    if _depends_on(_denial(region, region.access.bucket_policy(_bucket(region)))):
        return None
    bucket = _bucket(region)
    before = region.access.bucket_policy(bucket)
    document = json.loads(before)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    kept = [
        statement
        for statement in statements
        if _denial(region, json.dumps({"Statement": [statement]})).verdict is not Verdict.EXPLICIT_DENY
    ]
    put = (
        Call("s3:PutBucketPolicy", {"Bucket": bucket, "Policy": json.dumps(document | {"Statement": kept})})
        if kept
        else Call("s3:DeleteBucketPolicy", {"Bucket": bucket})
    )
    was = {"Bucket": bucket, "Policy": before}
    return Plan(actions=(Action(put, Call("s3:PutBucketPolicy", was), was),), state=before)


@RUNBOOK.cause(
    "bucket-policy-denies",
    guide="Bucket policy restriction",
    solution="Update bucket policy.",
    remedy=_without_denials,
)
def bucket_policy_denies(region: Region) -> Judgement:
    """The bucket's policy denies the upload."""
    bucket = _bucket(region)
    try:
        text = region.access.bucket_policy(bucket)
    except Absent:
        return skipped(f"there is no bucket {bucket}: wrong-bucket-name tells it")
    if not text:
        return ok(f"{bucket} has no policy that could deny")
    decision = _denial(region, text)
    if decision.verdict is not Verdict.EXPLICIT_DENY:
        return ok(f"the policy of {bucket} denies no upload over TLS")
    name = (
        decision.statement.sid if decision.statement and decision.statement.sid else "a statement without Sid"
    )
    seen = Evidence("s3:GetBucketPolicy", bucket, f"{name}: Deny {UPLOAD}", "no statement that denies it")
    refused = lost(region)
    unseen = ", ".join(_depends_on(decision))
    if unseen and not refused:
        return warn(
            f"{name} in the policy of {bucket} denies {UPLOAD} depending on {unseen}, which only an upload "
            "shows; none was refused yet",
            seen,
            direct=False,
        )
    return fail(f"{name} in the policy of {bucket} denies {UPLOAD}", seen, *refused)


def _name_bucket(region: Region) -> Plan | None:
    wanted = region.names.artifacts_bucket
    try:
        region.access.bucket_policy(wanted)
    except Absent:
        return None
    definition = region.containers.definition()
    return deploy(region, with_environment(definition, {"S3_ARTIFACTS_BUCKET": wanted}))


@RUNBOOK.cause(
    "wrong-bucket-name",
    guide="Wrong bucket name",
    solution="Verify S3_ARTIFACTS_BUCKET env var.",
    explains=("s3-access-denied/missing-permission", "s3-access-denied/bucket-policy-denies"),
    remedy=_name_bucket,
)
def wrong_bucket_name(region: Region) -> Judgement:
    """S3_ARTIFACTS_BUCKET names another bucket than the stack's."""
    definition = region.containers.definition()
    named = definition.environment.get("S3_ARTIFACTS_BUCKET", "")
    expected = region.names.artifacts_bucket
    if not named:
        return skipped("it is not set: health-check-failing/missing-environment tells it")
    if not _of_stack(region, named):
        seen = Evidence(
            "ecs:DescribeTaskDefinition", definition.name, f"S3_ARTIFACTS_BUCKET={named}", expected
        )
        return fail(f"S3_ARTIFACTS_BUCKET is {named}, not {expected}", seen, *lost(region))
    try:
        region.access.bucket_policy(named)
    except Absent:
        return fail(
            f"there is no bucket {named}",
            Evidence("s3:GetBucketPolicy", named, "NoSuchBucket", expected),
            *lost(region),
        )
    return ok(f"S3_ARTIFACTS_BUCKET names {named}, which exists")
