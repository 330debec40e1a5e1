"""What tells people: the alarm topic, the alarms that the runbooks declare, the dashboard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pulumi import ComponentResource, Input, ResourceOptions

from infra.account import Account
from infra.alarms import Alarms, AlarmsArgs
from infra.dashboard import Dashboard, DashboardArgs
from infra.topic import AlarmTopic, AlarmTopicArgs
from outpost.names import SERVICE, Names
from runbooks.alarms import Declared


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """`declared` are the runbooks' alarms; the ARN suffixes are how metrics name load balancers."""

    names: Names
    account: Account
    key_arn: Input[str]
    email: str
    declared: Sequence[Declared]
    load_balancer: Input[str]
    target_group: Input[str]
    file_system_id: Input[str]
    cluster_arn: Input[str]
    log_groups: Mapping[str, Input[str]]


class Monitoring(ComponentResource):
    """Alarms for every issue of the guide that AWS can see, and one page that shows them all."""

    def __init__(self, name: str, args: MonitoringArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:monitoring:Monitoring", name, {}, opts)
        child = ResourceOptions(parent=self)
        topic = AlarmTopic(
            "alarm-topic",
            AlarmTopicArgs(names=args.names, account=args.account, key_arn=args.key_arn, email=args.email),
            child,
        )
        alarms = Alarms(
            "alarms",
            AlarmsArgs(
                names=args.names,
                declared=args.declared,
                places=_places(args),
                log_groups=args.log_groups,
                cluster_arn=args.cluster_arn,
                topic_arn=topic.arn,
            ),
            child,
        )
        Dashboard(
            "dashboard",
            DashboardArgs(names=args.names, region=args.account.region, alarms=alarms.arns),
            child,
        )
        self.register_outputs({"topic_arn": topic.arn})


def _places(args: MonitoringArgs) -> dict[str, Input[str]]:
    """What the placeholders in the runbooks' dimensions stand for in this stack."""
    names = args.names
    return {
        "cluster": names.cluster,
        "service": SERVICE,
        "load_balancer": args.load_balancer,
        "target_group": args.target_group,
        "jobs_table": names.jobs_table,
        "artifacts_bucket": names.artifacts_bucket,
        "launch_queue": names.launch_queue,
        "launch_dead_letter_queue": names.launch_dead_letter_queue,
        "events_queue": names.events_queue,
        "events_dead_letter_queue": names.events_dead_letter_queue,
        "file_system": args.file_system_id,
    }
