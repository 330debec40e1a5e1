"""The stack's KMS key. It always encrypts the alarm topic; whether it encrypts data too is a setting."""

from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Output, ResourceOptions

from infra.account import Account
from infra.policies import Statement, policy
from outpost.names import Names

THIS_KEY = "in a key's policy, every resource is the key itself"
DATA = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
GRANTS = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")
ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)


@dataclass(frozen=True, kw_only=True)
class EncryptionKeyArgs:
    """`protect` refuses deletion: what a lost key has encrypted is lost."""

    names: Names
    account: Account
    protect: bool


class EncryptionKey(ComponentResource):
    """A key that AWS rotates every year, used by this account's roles and by the services that need it."""

    arn: Output[str]

    def __init__(self, name: str, args: EncryptionKeyArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:security:EncryptionKey", name, {}, opts)
        key = aws.kms.Key(
            name,
            description=f"Outpost {args.names.stack}",
            enable_key_rotation=True,
            deletion_window_in_days=30 if args.protect else 7,
            policy=policy(*_statements(args.account)),
            opts=ResourceOptions(parent=self, protect=args.protect),
        )
        aws.kms.Alias(
            name,
            name=args.names.key_alias,
            target_key_id=key.id,
            opts=ResourceOptions(parent=self),
        )
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})


def _statements(account: Account) -> list[Statement]:
    root = Output.concat("arn:aws:iam::", account.id, ":root")
    groups = account.arn("logs", "log-group:*")
    return [
        Statement(
            sid="Account",  # whom the account's own policies allow; without it they count for nothing
            actions=[*ADMINISTRATION, *DATA, *GRANTS],
            any_resource=THIS_KEY,
            principals={"AWS": root},
        ),
        Statement(
            sid="Logs",
            actions=DATA,
            any_resource=THIS_KEY,
            principals={"Service": f"logs.{account.region}.amazonaws.com"},
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        ),
        Statement(
            sid="Alarms",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            any_resource=THIS_KEY,
            principals={"Service": "cloudwatch.amazonaws.com"},
            conditions={"StringEquals": {"aws:SourceAccount": account.id}},
        ),
        Statement(
            # EventBridge gives no source account with its calls for encrypted topics and queues (SNS
            # developer guide, key management), so a condition on it would refuse every event.
            sid="Events",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            any_resource=THIS_KEY,
            principals={"Service": "events.amazonaws.com"},
        ),
    ]
