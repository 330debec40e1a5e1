"""IAM roles and what they may do, API keys, secrets, quotas and bucket policies."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from outpost.names import VCPU_QUOTA_CODE
from outpost.policy import Decision, Request, Statement, evaluate, parse
from runbooks.looking import Absent, Answer, CouldNotLook, Look
from runbooks.observations.tables import plain_item
from runbooks.target import Target

# Never the hash: what identifies a key to people is its id and the first 15 characters.
KEY_ATTRIBUTES = ("apiKeyId", "tenantId", "keyPrefix", "scopes", "status", "expiresAt", "lastUsedAt")
AT_ONCE = 8  # policies of a role that are read at the same time
KEYS = 20_000  # looked at in one run; nothing is said of the keys of a larger table


class Access:
    def __init__(self, look: Look, target: Target) -> None:
        self._look = look
        self._target = target

    def account(self) -> str:
        return str(self._look("sts:GetCallerIdentity")["Account"])

    def may(self, role: str, action: str, resource: str) -> Decision:
        """Whether a role's policies allow an action on an ARN. Raises `Absent` without the role."""
        return evaluate(self.role_policies(role), Request(action=action, resource=resource))

    def role_policies(self, role: str) -> list[tuple[Statement, ...]]:
        """The role's inline and attached policies, parsed. Raises `Absent`, `CouldNotLook`."""
        names = self._look("iam:ListRolePolicies", RoleName=role).get("PolicyNames", [])

        def inline(name: str) -> tuple[Statement, ...]:
            document = self._look("iam:GetRolePolicy", RoleName=role, PolicyName=name)["PolicyDocument"]
            return _parsed(document, name)

        with ThreadPoolExecutor(AT_ONCE) as pool:  # IAM is far away: a tenth of a second for each
            policies = list(pool.map(inline, names))
        attached = self._look("iam:ListAttachedRolePolicies", RoleName=role)
        for policy in attached.get("AttachedPolicies", []):
            arn = policy["PolicyArn"]
            version = self._look("iam:GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
            answer = self._look("iam:GetPolicyVersion", PolicyArn=arn, VersionId=version)
            policies.append(_parsed(answer["PolicyVersion"]["Document"], policy["PolicyName"]))
        return policies

    def inline_policy(self, role: str, name: str) -> str:
        """The document (JSON text) of one inline policy of a role; empty when it has no such policy."""
        if name not in self._look("iam:ListRolePolicies", RoleName=role).get("PolicyNames", []):
            return ""
        document = self._look("iam:GetRolePolicy", RoleName=role, PolicyName=name)["PolicyDocument"]
        return document if isinstance(document, str) else json.dumps(document)

    def bucket_policy(self, bucket: str) -> str:
        """The bucket's policy (JSON text); empty when it has none. Raises `Absent` without the bucket."""
        try:
            return str(self._look("s3:GetBucketPolicy", Bucket=bucket)["Policy"])
        except Absent as absent:
            if absent.code == "NoSuchBucketPolicy":
                return ""
            raise

    def api_keys(self) -> list[Answer]:
        """Every API key's id, tenant, prefix, scopes, status and expiry; never the key or its hash.

        Raises `CouldNotLook` when there are more than `KEYS`: a key that was not seen may still exist.
        """
        answer = self._look(
            "dynamodb:Scan",
            TableName=self._target.names.api_keys_table,
            ProjectionExpression=", ".join(f"#{name}" for name in KEY_ATTRIBUTES),
            ExpressionAttributeNames={f"#{name}": name for name in KEY_ATTRIBUTES},
            PaginationConfig={"MaxItems": KEYS + 1},
        )
        if len(answer.get("Items", [])) > KEYS:
            raise CouldNotLook("dynamodb:Scan", "too large", f"more than {KEYS} API keys")
        return [plain_item(item) for item in answer.get("Items", [])]

    def secret(self, name: str) -> Answer | None:
        """The secret's metadata, never its value; None when there is no such secret."""
        answer = self._look(
            "secretsmanager:ListSecrets",
            Filters=[{"Key": "name", "Values": ["outpost/"]}],
            IncludePlannedDeletion=True,
        )
        return next((s for s in answer.get("SecretList", []) if s["Name"] == name), None)

    def vcpu_quota(self) -> float:
        """Fargate's On-Demand vCPU quota of the account in the region."""
        answer = self._look(
            "service-quotas:GetServiceQuota", ServiceCode="fargate", QuotaCode=VCPU_QUOTA_CODE
        )
        return float(answer["Quota"]["Value"])


def has_value(secret: Answer) -> bool:
    """Whether a secret has a current version: without one, a task that is given it cannot start."""
    stages = secret.get("SecretVersionsToStages") or {}
    return any("AWSCURRENT" in labels for labels in stages.values())


def _parsed(document: Any, name: str) -> tuple[Statement, ...]:
    from outpost.errors import OutpostError

    text = document if isinstance(document, str) else json.dumps(document)
    try:
        return parse(unquote(text) if text.startswith("%") else text, name)
    except OutpostError as error:
        raise CouldNotLook("iam:GetRolePolicy", "failed", error.message) from error
