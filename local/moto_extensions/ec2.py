"""EC2: a security group rule that names another group keeps its description, too."""

from moto.ec2.models.security_groups import SecurityGroupRule


def _description(self: SecurityGroupRule) -> str | None:
    for source in (self.ip_range, self.source_group or {}):
        if "Description" in source:
            return str(source["Description"])
    return None


def install() -> None:
    SecurityGroupRule.description = property(_description)
