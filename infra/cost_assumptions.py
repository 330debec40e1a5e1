"""What an estimate has to assume, since no declaration says it. Each number can be set."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from outpost.errors import OutpostError


def _assumed(default: float, unit: str, meaning: str) -> Any:
    return field(default=default, metadata={"unit": unit, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Volumes of a month at rest, and of one dispatch."""

    # A month at rest.
    load_balancer_lcu: float = _assumed(0.1, "LCU", "average load of the load balancer")
    control_plane_log_gb: float = _assumed(0.5, "GB", "log of one control-plane task in a month")
    flow_log_gb: float = _assumed(1, "GB", "VPC flow logs of a stack in a month")
    nat_gb: float = _assumed(5, "GB", "traffic of the control plane through NAT in a month")
    polls_per_minute: float = _assumed(3, "requests", "receives of one task from one queue (20 s long polls)")
    table_gb: float = _assumed(1, "GB", "size of one table")
    workspace_gb: float = _assumed(5, "GB", "size of one tenant's workspace")
    image_gb: float = _assumed(0.6, "GB", "compressed size of one image")
    images_kept: float = _assumed(10, "images", "images in one repository")
    metrics_per_cluster: float = _assumed(8, "metrics", "Container Insights of a cluster")
    metrics_per_service: float = _assumed(20, "metrics", "Container Insights of a service and its family")
    # One dispatch.
    minutes: float = _assumed(10, "minutes", "billed time of one dispatch, from image pull to stop")
    log_mb: float = _assumed(2, "MB", "log of one dispatch")
    log_compression: float = _assumed(0.15, "", "stored size of a log over its size")
    artifact_mb: float = _assumed(5, "MB", "artifacts of one dispatch")
    artifact_files: float = _assumed(5, "files", "artifacts of one dispatch")
    egress_mb: float = _assumed(150, "MB", "traffic of one dispatch through NAT, both ways")
    internet_out_mb: float = _assumed(20, "MB", "of that, what leaves AWS")
    write_units: float = _assumed(40, "units", "DynamoDB write units of one dispatch")
    read_units: float = _assumed(20, "units", "DynamoDB read units of one dispatch, with its polling")
    queue_requests: float = _assumed(12, "requests", "SQS requests of one dispatch")

    @classmethod
    def parse(cls, settings: Iterable[str]) -> "Assumptions":
        """From texts such as `minutes=5`; raises `OutpostError` (`invalid-assumption`) with the keys."""
        known = {declared.name for declared in fields(cls)}
        values: dict[str, float] = {}
        for setting in settings:
            key, _, text = setting.partition("=")
            try:
                number = float(text)
            except ValueError:
                number = -1
            if key not in known or not 0 <= number < float("inf"):
                raise OutpostError(
                    "invalid-assumption",
                    f"{setting!r} is not an assumption.",
                    remedy=f"Use KEY=NUMBER with a KEY of: {', '.join(sorted(known))}.",
                )
            values[key] = number
        return cls(**values)

    def lines(self) -> list[str]:
        """Every assumption in words."""
        return [
            f"{declared.name}={getattr(self, declared.name):g} "
            f"({' '.join(filter(None, (declared.metadata['unit'], declared.metadata['meaning'])))})"
            for declared in fields(self)
        ]

    def as_dict(self) -> dict[str, float]:
        return dataclasses.asdict(self)
