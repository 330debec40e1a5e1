"""DynamoDB, S3, EFS."""

import json
from typing import Any

from local.engine.aws import Aws
from local.engine.state import ResourceState
from tests.local.engine.described.reading import camel, pairs, reads


@reads("aws:dynamodb/table:Table")
def table(aws: Aws, state: ResourceState) -> dict[str, Any]:
    dynamodb = aws.client("dynamodb")
    found = dynamodb.describe_table(TableName=state.id)["Table"]
    keys = {key["KeyType"]: key["AttributeName"] for key in found["KeySchema"]}
    ttl = dynamodb.describe_time_to_live(TableName=state.id)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=state.id)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    throughput = found.get("ProvisionedThroughput", {})
    encryption = found.get("SSEDescription", {})
    return {
        "name": found["TableName"],
        "billingMode": found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "readCapacity": throughput.get("ReadCapacityUnits"),
        "writeCapacity": throughput.get("WriteCapacityUnits"),
        "hashKey": keys["HASH"],
        "rangeKey": keys.get("RANGE"),
        "attributes": [
            {"name": a["AttributeName"], "type": a["AttributeType"]} for a in found["AttributeDefinitions"]
        ],
        "globalSecondaryIndexes": [_index(index) for index in found.get("GlobalSecondaryIndexes", [])],
        "ttl": {
            "attributeName": ttl.get("AttributeName"),
            "enabled": ttl["TimeToLiveStatus"] == "ENABLED",
        },
        "pointInTimeRecovery": {
            "enabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED",
            "recoveryPeriodInDays": recovery.get("RecoveryPeriodInDays"),
        },
        "serverSideEncryption": {
            "enabled": encryption.get("Status") == "ENABLED",
            "kmsKeyArn": encryption.get("KMSMasterKeyArn"),
        },
        "deletionProtectionEnabled": found["DeletionProtectionEnabled"],
        "tags": pairs(dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"]),
    }


def _index(index: dict[str, Any]) -> dict[str, Any]:
    throughput = index.get("ProvisionedThroughput", {})
    return {
        "name": index["IndexName"],
        "keySchemas": camel(index["KeySchema"]),
        "projectionType": index["Projection"]["ProjectionType"],
        "nonKeyAttributes": index["Projection"].get("NonKeyAttributes"),
        "readCapacity": throughput.get("ReadCapacityUnits"),
        "writeCapacity": throughput.get("WriteCapacityUnits"),
    }


@reads("aws:s3/bucket:Bucket")
def bucket(aws: Aws, state: ResourceState) -> dict[str, Any]:
    s3 = aws.client("s3")
    names = [found["Name"] for found in s3.list_buckets()["Buckets"]]
    assert state.id in names
    return {"bucket": state.id, "tags": pairs(s3.get_bucket_tagging(Bucket=state.id)["TagSet"])}


@reads("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
def ownership(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("s3").get_bucket_ownership_controls(Bucket=state.id)["OwnershipControls"]
    return {"bucket": state.id, "rule": camel(found["Rules"][0])}


@reads("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
def public_access_block(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("s3").get_public_access_block(Bucket=state.id)["PublicAccessBlockConfiguration"]
    return {"bucket": state.id, **camel(found)}


@reads("aws:s3/bucketVersioning:BucketVersioning")
def versioning(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("s3").get_bucket_versioning(Bucket=state.id)
    return {"bucket": state.id, "versioningConfiguration": {"status": found["Status"]}}


@reads("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
def encryption(aws: Aws, state: ResourceState) -> dict[str, Any]:
    answer = aws.client("s3").get_bucket_encryption(Bucket=state.id)
    rules = []
    for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]:
        default = rule["ApplyServerSideEncryptionByDefault"]
        rules.append(
            {
                "bucketKeyEnabled": rule["BucketKeyEnabled"],
                "applyServerSideEncryptionByDefault": {
                    "sseAlgorithm": default["SSEAlgorithm"],
                    "kmsMasterKeyId": default.get("KMSMasterKeyID"),
                },
            }
        )
    return {"bucket": state.id, "rules": rules}


@reads("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
def lifecycle(aws: Aws, state: ResourceState) -> dict[str, Any]:
    rules = aws.client("s3").get_bucket_lifecycle_configuration(Bucket=state.id)["Rules"]
    return {"bucket": state.id, "rules": [{**camel(rule), "id": rule["ID"]} for rule in rules]}


@reads("aws:s3/bucketPolicy:BucketPolicy")
def bucket_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("s3").get_bucket_policy(Bucket=state.id)
    return {"bucket": state.id, "policy": found["Policy"]}


@reads("aws:s3/bucketLogging:BucketLogging")
def bucket_logging(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("s3").get_bucket_logging(Bucket=state.id)
    return {"bucket": state.id, **camel(found["LoggingEnabled"])}


@reads("aws:efs/fileSystem:FileSystem")
def file_system(aws: Aws, state: ResourceState) -> dict[str, Any]:
    efs = aws.client("efs")
    found = efs.describe_file_systems(FileSystemId=state.id)["FileSystems"][0]
    policies = efs.describe_lifecycle_configuration(FileSystemId=state.id)["LifecyclePolicies"]
    lifecycle = [{key.replace("IA", "Ia"): value for key, value in p.items()} for p in policies]
    return {**camel(found), "lifecyclePolicies": camel(lifecycle), "tags": pairs(found["Tags"])}


@reads("aws:efs/mountTarget:MountTarget")
def mount_target(aws: Aws, state: ResourceState) -> dict[str, Any]:
    efs = aws.client("efs")
    found = efs.describe_mount_targets(MountTargetId=state.id)["MountTargets"][0]
    groups = efs.describe_mount_target_security_groups(MountTargetId=state.id)["SecurityGroups"]
    return {**camel(found), "securityGroups": groups}


@reads("aws:efs/fileSystemPolicy:FileSystemPolicy")
def file_system_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    return dict(camel(aws.client("efs").describe_file_system_policy(FileSystemId=state.id)))


@reads("aws:efs/backupPolicy:BackupPolicy")
def backup_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("efs").describe_backup_policy(FileSystemId=state.id)
    return {"fileSystemId": state.id, "backupPolicy": camel(found["BackupPolicy"])}


@reads("aws:efs/accessPoint:AccessPoint")
def access_point(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("efs").describe_access_points(AccessPointId=state.id)["AccessPoints"][0]
    return {**camel(found), "tags": pairs(found["Tags"])}


@reads("aws:kms/key:Key")
def key(aws: Aws, state: ResourceState) -> dict[str, Any]:
    kms = aws.client("kms")
    found = camel(kms.describe_key(KeyId=state.id)["KeyMetadata"])
    tags = kms.list_resource_tags(KeyId=state.id)["Tags"]
    return {
        **found,
        "enableKeyRotation": kms.get_key_rotation_status(KeyId=state.id)["KeyRotationEnabled"],
        "policy": json.dumps(json.loads(kms.get_key_policy(KeyId=state.id, PolicyName="default")["Policy"])),
        "tags": pairs(tags, "TagKey", "TagValue"),
    }


@reads("aws:kms/alias:Alias")
def alias(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("kms").list_aliases(KeyId=state.inputs["targetKeyId"])["Aliases"]
    one = next(a for a in found if a["AliasName"] == state.id)
    return {"name": one["AliasName"], "targetKeyId": one["TargetKeyId"]}
