"""Buckets: private, versioned, encrypted, TLS only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.account import Account
from infra.ordering import once
from infra.policies import Statement, policy, tls_only

S3_LOG_PREFIX = "s3/"


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """`expire_days` is how long objects are kept; without a `key_arn` S3's own key encrypts.

    `allow` gives the statements, from the bucket's ARN, that let in more than the account's own roles;
    `log_bucket` is where its access log goes.
    """

    bucket_name: str
    protect: bool
    expire_days: int
    key_arn: Input[str] | None = None
    allow: Callable[[Output[str]], Sequence[Statement]] = lambda arn: ()
    log_bucket: Input[str] | None = None


class PrivateBucket(ComponentResource):
    """A bucket that nobody outside of the account can read, and nobody at all without TLS."""

    bucket_name: Output[str]
    arn: Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:data:PrivateBucket", name, {}, opts)
        child = ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(
            name,
            bucket=args.bucket_name,
            force_destroy=not args.protect,
            opts=ResourceOptions(parent=self, protect=args.protect),
        )
        aws.s3.BucketOwnershipControls(
            name,
            bucket=bucket.id,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=child,
        )
        block = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketVersioning(
            name,
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=child,
        )
        _encrypt(name, bucket, args.key_arn, child)
        _expire(name, bucket, args.expire_days, child)
        if args.log_bucket is not None:
            aws.s3.BucketLogging(
                name,
                bucket=bucket.id,
                target_bucket=args.log_bucket,
                target_prefix=f"{S3_LOG_PREFIX}{args.bucket_name}/",
                opts=child,
            )
        tls = tls_only(bucket.arn, Output.concat(bucket.arn, "/*"), service="s3")
        bucket_policy = aws.s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=policy(tls, *args.allow(bucket.arn)),
            # S3 refuses two configuration changes of one bucket at a time (OperationAborted).
            opts=ResourceOptions(parent=self, depends_on=[block]),
        )
        # Whoever is to write logs there is checked, when it is set up, for the policy to let it.
        self.bucket_name, self.arn = once(bucket.bucket, bucket_policy), bucket.arn
        self.register_outputs({"bucket_name": self.bucket_name})


def log_writers(account: Account) -> Callable[[Output[str]], Sequence[Statement]]:
    """Let the account's load balancers and buckets write their access logs."""

    def statements(arn: Output[str]) -> Sequence[Statement]:
        return (
            Statement(
                sid="LoadBalancers",
                actions=["s3:PutObject"],
                resources=[Output.concat(arn, "/AWSLogs/", account.id, "/*")],
                principals={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                conditions={
                    "ArnLike": {"aws:SourceArn": account.arn("elasticloadbalancing", "loadbalancer/*")}
                },
            ),
            Statement(
                sid="Buckets",
                actions=["s3:PutObject"],
                resources=[Output.concat(arn, "/", S3_LOG_PREFIX, "*")],
                principals={"Service": "logging.s3.amazonaws.com"},
                conditions={"StringEquals": {"aws:SourceAccount": account.id}},
            ),
        )

    return statements


def _encrypt(name: str, bucket: aws.s3.Bucket, key_arn: Input[str] | None, child: ResourceOptions) -> None:
    aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.id,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                    sse_algorithm="AES256" if key_arn is None else "aws:kms",
                    kms_master_key_id=key_arn,
                ),
                bucket_key_enabled=key_arn is not None,  # one KMS call for many objects
            )
        ],
        opts=child,
    )


def _expire(name: str, bucket: aws.s3.Bucket, days: int, child: ResourceOptions) -> None:
    aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=bucket.id,
        rules=[
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="expire",
                status="Enabled",
                filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
                noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                    noncurrent_days=7
                ),
                abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                    days_after_initiation=1
                ),
            )
        ],
        opts=child,
    )
