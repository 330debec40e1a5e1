"""S3: buckets and their settings, each a resource of its own."""

from typing import Any

from local.engine.arguments import Arguments, pascal, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_BUCKET = "aws:s3/bucket:Bucket"


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    s3 = aws.client("s3")
    if tags:
        s3.put_bucket_tagging(Bucket=old.id, Tagging={"TagSet": tag_list(tags)})
    else:
        s3.delete_bucket_tagging(Bucket=old.id)


@creates(_BUCKET, replace_on=["bucket"], named_by="bucket", retag=retag)
def bucket(aws: Aws, args: Arguments) -> Created:
    s3 = aws.client("s3")
    name = args["bucket"]
    args.ignore("forceDestroy")  # of use when it is deleted
    # us-east-1 is the one region that S3 does not take as a constraint.
    constraint = {} if aws.region == "us-east-1" else {"LocationConstraint": aws.region}
    s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": constraint} if constraint else {}))
    if args.tags:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(args.tags)})
    domain = f"{name}.s3.amazonaws.com"
    return Created(name, {"arn": f"arn:{aws.partition}:s3:::{name}", "bucketDomainName": domain})


@updates(_BUCKET)
def update_bucket(_: Aws, __: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("bucket", "forceDestroy")
    return {}


@deletes(_BUCKET)
def delete_bucket(aws: Aws, old: ResourceState) -> None:
    """Refused by AWS when there are objects in it, unless `forceDestroy` was declared."""
    s3 = aws.client("s3")
    if old.inputs.get("forceDestroy"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=old.id):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
            if objects:
                s3.delete_objects(Bucket=old.id, Delete={"Objects": objects, "Quiet": True})
    s3.delete_bucket(Bucket=old.id)


@creates("aws:s3/bucketOwnershipControls:BucketOwnershipControls", replace_on=["bucket"], put=True)
def ownership_controls(aws: Aws, args: Arguments) -> Created:
    controls = {"Rules": [pascal(args["rule"])]}
    aws.client("s3").put_bucket_ownership_controls(Bucket=args["bucket"], OwnershipControls=controls)
    return Created(args["bucket"])


@deletes("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
def delete_ownership_controls(aws: Aws, old: ResourceState) -> None:
    aws.client("s3").delete_bucket_ownership_controls(Bucket=old.id)


@creates("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", replace_on=["bucket"], put=True)
def public_access_block(aws: Aws, args: Arguments) -> Created:
    args.ignore("skipDestroy")
    keys = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    aws.client("s3").put_public_access_block(
        Bucket=args["bucket"], PublicAccessBlockConfiguration=args.pascal(*keys)
    )
    return Created(args["bucket"])


@deletes("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
def delete_public_access_block(aws: Aws, old: ResourceState) -> None:
    aws.client("s3").delete_public_access_block(Bucket=old.id)


@creates("aws:s3/bucketVersioning:BucketVersioning", replace_on=["bucket"], put=True)
def versioning(aws: Aws, args: Arguments) -> Created:
    aws.client("s3").put_bucket_versioning(
        Bucket=args["bucket"], VersioningConfiguration=pascal(args["versioningConfiguration"])
    )
    return Created(args["bucket"])


@creates(
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    replace_on=["bucket"],
    put=True,
)
def encryption(aws: Aws, args: Arguments) -> Created:
    rules = []
    for rule in args["rules"]:
        given = pascal(rule)
        default = given.pop("ApplyServerSideEncryptionByDefault", {})
        names = {"SseAlgorithm": "SSEAlgorithm", "KmsMasterKeyId": "KMSMasterKeyID"}
        given["ApplyServerSideEncryptionByDefault"] = {names[key]: default[key] for key in default}
        rules.append(given)
    aws.client("s3").put_bucket_encryption(
        Bucket=args["bucket"], ServerSideEncryptionConfiguration={"Rules": rules}
    )
    return Created(args["bucket"])


@deletes("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
def delete_encryption(aws: Aws, old: ResourceState) -> None:
    aws.client("s3").delete_bucket_encryption(Bucket=old.id)


@creates("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", replace_on=["bucket"], put=True)
def lifecycle(aws: Aws, args: Arguments) -> Created:
    rules = []
    for rule in args["rules"]:
        given = pascal(rule)
        given["ID"] = given.pop("Id")
        rules.append(given)
    aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=args["bucket"], LifecycleConfiguration={"Rules": rules}
    )
    return Created(args["bucket"])


@deletes("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
def delete_lifecycle(aws: Aws, old: ResourceState) -> None:
    aws.client("s3").delete_bucket_lifecycle(Bucket=old.id)


@creates("aws:s3/bucketPolicy:BucketPolicy", replace_on=["bucket"], put=True)
def policy(aws: Aws, args: Arguments) -> Created:
    aws.client("s3").put_bucket_policy(Bucket=args["bucket"], Policy=args["policy"])
    return Created(args["bucket"])


@deletes("aws:s3/bucketPolicy:BucketPolicy")
def delete_policy(aws: Aws, old: ResourceState) -> None:
    aws.client("s3").delete_bucket_policy(Bucket=old.id)


@creates("aws:s3/bucketLogging:BucketLogging", replace_on=["bucket"], put=True)
def logging(aws: Aws, args: Arguments) -> Created:
    aws.client("s3").put_bucket_logging(
        Bucket=args["bucket"],
        BucketLoggingStatus={"LoggingEnabled": args.pascal("targetBucket", "targetPrefix")},
    )
    return Created(args["bucket"])


@deletes("aws:s3/bucketLogging:BucketLogging")
def delete_logging(aws: Aws, old: ResourceState) -> None:
    aws.client("s3").put_bucket_logging(Bucket=old.id, BucketLoggingStatus={})
