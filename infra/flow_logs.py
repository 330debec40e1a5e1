"""Flow logs: which connections the VPC saw, and which it refused."""

from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.account import Account
from infra.policies import Statement, policy, trust
from outpost.names import Names


@dataclass(frozen=True, kw_only=True)
class FlowLogsArgs:
    """`retention_days` is one of CloudWatch's."""

    names: Names
    account: Account
    vpc_id: Input[str]
    retention_days: int
    key_arn: Input[str] | None = None


class FlowLogs(ComponentResource):
    """All of the VPC's connections, in a log group."""

    def __init__(self, name: str, args: FlowLogsArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:network:FlowLogs", name, {}, opts)
        child = ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            name,
            name=args.names.flow_log_group,
            retention_in_days=args.retention_days,
            kms_key_id=args.key_arn,
            opts=child,
        )
        role = aws.iam.Role(
            name,
            name=f"{args.names.cluster}-flow-logs",
            description="The VPC writes its flow logs with it",
            assume_role_policy=trust("vpc-flow-logs.amazonaws.com", args.account.id),
            opts=child,
        )
        write = aws.iam.RolePolicy(
            name,
            name="write",
            role=role.name,
            policy=policy(
                Statement(
                    sid="Write",
                    actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                    resources=[Output.concat(logs.arn, ":*")],
                )
            ),
            opts=child,
        )
        aws.ec2.FlowLog(
            name,
            vpc_id=args.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=logs.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=600,  # seconds; AWS's default, and the cheaper of its two
            tags={"Name": args.names.cluster},
            opts=ResourceOptions(parent=self, depends_on=[write]),
        )
        self.register_outputs({})
