"""The dashboard: every alarm's state, and every alarm's metric with its threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from outpost.names import Names

WIDTH, HEIGHT, COLUMNS = 8, 6, 3  # CloudWatch's grid is 24 wide


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """`alarms` are the alarms' ARNs by issue."""

    names: Names
    region: str
    alarms: Mapping[str, Input[str]]


class Dashboard(ComponentResource):
    """One page that an on-call engineer opens first."""

    def __init__(self, name: str, args: DashboardArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:monitoring:Dashboard", name, {}, opts)
        aws.cloudwatch.Dashboard(
            name,
            dashboard_name=args.names.dashboard,
            dashboard_body=Output.json_dumps({"widgets": _widgets(args)}, sort_keys=True),
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _widgets(args: DashboardArgs) -> list[dict[str, Any]]:
    states = {
        "type": "alarm",
        "x": 0,
        "y": 0,
        "width": WIDTH * COLUMNS,
        "height": 3,
        "properties": {"title": f"Outpost {args.names.stack}", "alarms": list(args.alarms.values())},
    }
    return [states, *(_metric(args, place, issue) for place, issue in enumerate(args.alarms))]


def _metric(args: DashboardArgs, place: int, issue: str) -> dict[str, Any]:
    return {
        "type": "metric",
        "x": place % COLUMNS * WIDTH,
        "y": 3 + place // COLUMNS * HEIGHT,
        "width": WIDTH,
        "height": HEIGHT,
        "properties": {
            "title": issue,
            "region": args.region,
            "view": "timeSeries",
            "annotations": {"alarms": [args.alarms[issue]]},
        },
    }
