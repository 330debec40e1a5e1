"""What the embedded AWS does not imitate of the declared arguments, in one table.

Everything else that the program declares is described back by boto3 as it was declared; a test goes over
all resources, and fails as well when a line here is no longer true.
"""

# Resource type -> argument -> why AWS's answers do not show it.
NOT_DESCRIBED: dict[str, dict[str, str]] = {
    # Arguments that AWS itself never describes: they say how the resource is to be deleted.
    "aws:s3/bucket:Bucket": {"forceDestroy": "says how to delete; done by the engine"},
    "aws:ecr/repository:Repository": {"forceDelete": "says how to delete; done by the engine"},
    "aws:secretsmanager/secret:Secret": {"recoveryWindowInDays": "says how to delete; done by the engine"},
    "aws:kms/key:Key": {"deletionWindowInDays": "says how to delete; done by the engine"},
    "aws:ecs/taskDefinition:TaskDefinition": {"skipDestroy": "says how to delete; done by the engine"},
    # Arguments that moto takes and forgets.
    "aws:appautoscaling/target:Target": {"tags": "moto keeps no tags of scalable targets"},
}

# Behaviour behind arguments that are kept and described, but that nothing in the region acts on.
NOT_ACTED_ON: dict[str, str] = {
    "aws:appautoscaling/policy:Policy": "no scaling by metrics: the service keeps its desired count",
    "aws:dynamodb/table:Table": "no throttling by capacity, no backups, no encryption; TTL deletes nothing",
    "aws:ec2/flowLog:FlowLog": "no flow records are written",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "no image expires",
    "aws:efs/backupPolicy:BackupPolicy": "no backups are made",
    "aws:kms/key:Key": "keys encrypt on request only; nothing stored is encrypted",
    "aws:lb/listener:Listener": "no TLS: HTTPS listeners are described, not served",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "no object expires",
    "aws:s3/bucketLogging:BucketLogging": "no access logs are delivered",
    "aws:sns/topic:Topic": "messages go to subscribed queues only; no e-mail is sent",
}
