"""What moto lacks or drops and the stack needs, added to moto's own classes, one module for each service.

Installed once, where moto's application is made.
"""

from local.moto_extensions import (
    cloudwatch,
    dynamodb,
    ec2,
    ecs,
    efs,
    iam,
    logs,
    route53,
    s3,
    servicediscovery,
)


def install() -> None:
    """Add every extension; a second call changes nothing."""
    cloudwatch.install()
    dynamodb.install()
    ec2.install()
    ecs.install()
    efs.install()
    iam.install()
    logs.install()
    route53.install()
    s3.install()
    servicediscovery.install()
