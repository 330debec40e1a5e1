"""Health check failing: the load balancer finds no healthy control plane."""

from __future__ import annotations

from outpost.control_plane import REQUIRED_ENVIRONMENT, REQUIRED_SECRETS
from runbooks import ports, table_access
from runbooks.alarms import EventAlarm, MetricAlarm
from runbooks.definitions import deploy, next_memory, with_earlier_settings, with_memory
from runbooks.looking import Absent
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, unknown, warn
from runbooks.observations import Region
from runbooks.observations.shapes import Definition
from runbooks.remedies import Plan
from runbooks.rolled_back import also_rolled_back

RUNBOOK = Runbook(
    issue="health-check-failing",
    title="Health check failing",
    section="Control plane",
    symptoms=(
        "ALB returns 502/503 errors",
        "`/health` endpoint not responding",
        "ECS tasks showing as unhealthy",
    ),
    alarm=MetricAlarm(
        namespace="AWS/ApplicationELB",
        metric="HealthyHostCount",
        statistic="Minimum",
        comparison="LessThanThreshold",
        threshold=1,
        evaluation_periods=2,
        treat_missing="breaching",
        dimensions=(("LoadBalancer", "{load_balancer}"), ("TargetGroup", "{target_group}")),
    ),
    further={
        # Of several targets one fails, or closes connections: some callers see it, the others do not.
        "gateway-errors": MetricAlarm(
            namespace="AWS/ApplicationELB",
            metric="HTTPCode_ELB_5XX_Count",
            statistic="Sum",
            threshold=10,
            period=300,
            dimensions=(("LoadBalancer", "{load_balancer}"),),
        ),
        # The tasks of before stay while those of a deployment fail: nobody notices, until they are gone.
        "deployment-failed": EventAlarm(
            event_pattern={
                "source": ["aws.ecs"],
                "detail-type": ["ECS Deployment State Change"],
                "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
            },
            reason="$.detail.reason",
            subject="$.detail.deploymentId",
        ),
    },
    severity=Severity.PLATFORM,
)

STARTUP = 30  # seconds; a task that lives longer has started (the service's health check grace period)
MEMORY_LIMIT, MEMORY_WARNING = 98, 90  # percent of the task's memory


def _missing(definition: Definition) -> list[str]:
    given = {name for name, value in definition.environment.items() if value.strip()}
    missing = [name for name in REQUIRED_ENVIRONMENT if name not in given]
    return missing + [name for name in REQUIRED_SECRETS if name not in definition.secrets.keys() | given]


def _restore_settings(region: Region) -> Plan | None:
    """The lost settings as the last revision that had them gave them."""
    definition = region.containers.definition()
    corrected = with_earlier_settings(region, definition, _missing(definition))
    return deploy(region, corrected) if corrected else None


@RUNBOOK.cause(
    "missing-environment",
    guide="Task crashing on startup",
    solution="Check logs for missing env vars.",
    explains=("control-plane-not-starting/application-error",),
    remedy=_restore_settings,
)
@also_rolled_back
def missing_environment(region: Region) -> Judgement:
    """The control plane's task definition lacks a setting that it needs to start."""
    definition = region.containers.definition()
    missing = _missing(definition)
    if not missing:
        return ok(f"{definition.name} sets all {len(REQUIRED_ENVIRONMENT)} variables and its secret")
    evidence = [
        Evidence("ecs:DescribeTaskDefinition", definition.name, f"{name} is not set", "a value for it")
        for name in missing
    ]
    for task in region.containers.failed()[:1]:
        lines = region.logs.control_plane_task(task.id)
        said = [line.message for line in lines if any(name in line.message for name in missing)]
        evidence += [
            Evidence("logs:GetLogEvents", f"task {task.id}", line, "a start without errors")
            for line in said[-1:]
        ]
    return fail(f"{', '.join(missing)} missing from {definition.name}", *evidence)


def _more_memory(region: Region) -> Plan | None:
    definition = region.containers.definition()
    return deploy(region, with_memory(definition, next_memory(definition)))


@RUNBOOK.cause(
    "memory-exhausted",
    guide="Memory exhaustion",
    solution="Increase task memory allocation.",
    remedy=_more_memory,
)
@also_rolled_back
def memory_exhausted(region: Region) -> Judgement:
    """The control plane runs out of its memory while it serves."""
    definition = region.containers.definition()
    killed = [
        task
        for task in region.containers.stopped()
        if task.out_of_memory
        and (task.lifetime or 0) >= STARTUP
        and region.containers.described(task.definition).memory >= definition.memory
    ]
    used = region.metrics.series("memory")
    evidence = [
        Evidence(
            "ecs:DescribeTasks",
            f"task {task.id}",
            f"exit {task.exit_code}, {task.reason or task.stopped_reason}, after {task.lifetime:.0f} s",
            f"within {definition.memory} MB",
        )
        for task in killed[:3]
    ]
    # What tasks of before, or of another definition, used says nothing about those of now.
    since = region.containers.newest_start()
    points = zip(used.times, used.values, strict=True)
    recent = [value for time, value in points if since and time >= since and not region.tried][-5:]
    if recent and max(recent) >= MEMORY_WARNING:
        evidence.append(
            Evidence(
                "cloudwatch:GetMetricData",
                "AWS/ECS MemoryUtilization",
                f"{max(recent):.0f} % of {definition.memory} MB",
                f"below {MEMORY_WARNING} %",
            )
        )
    if killed or (recent and max(recent) >= MEMORY_LIMIT):
        return fail(f"{definition.memory} MB are not enough for the control plane", *evidence)
    if evidence:
        return warn(f"the control plane uses {max(recent):.0f} % of its memory", *evidence)
    measured = f"highest use {used.highest:.0f} %" if used.values else "its use was not measured yet"
    return ok(f"no task was killed for memory; {measured} of {definition.memory} MB")


@RUNBOOK.cause(
    "port-mismatch",
    guide="Port conflict",
    solution="Verify PORT env var matches task definition.",
    remedy=ports.align,
)
@also_rolled_back
def port_mismatch(region: Region) -> Judgement:
    """The control plane listens on another port than the load balancer calls."""
    listens, mapped = ports.listens(region), ports.mapped(region)
    evidence = ports.disagreeing(region)
    agree = f"PORT, the port mapping and the target group agree on {listens}"
    if not evidence and not region.tried and region.containers.steady() and not region.balancer.serves():
        # Tasks run, and the load balancer takes none of them: no cause may let that read as healthy.
        told = ports.unhealthy(region)
        why = told[0].saw if told else "none is registered"
        return unknown(f"{agree}, and yet no target is healthy: {why}; read the log: ./inv logs", *told)
    if not evidence:
        return ok(agree)
    evidence += ports.unhealthy(region)
    return fail(f"the control plane listens on {listens}, the load balancer calls {mapped}", *evidence)


@RUNBOOK.cause(
    "dynamodb-unreachable",
    guide="DynamoDB connection",
    solution="Verify IAM role has DynamoDB permissions.",
    remedy=table_access.restore,
    explains=("control-plane-not-starting/application-error",),
)
@also_rolled_back
def dynamodb_unreachable(region: Region) -> Judgement:
    """The control plane cannot use its tables: one is missing, or its role may not."""
    evidence = []
    definition = region.containers.definition()
    for variable, table in table_access.misnamed(definition, region).items():
        saw = f"{variable}={definition.environment[variable]}"
        evidence.append(Evidence("ecs:DescribeTaskDefinition", definition.name, saw, table))
    for name, read in (
        (region.names.jobs_table, region.tables.jobs),
        (region.names.api_keys_table, region.tables.api_keys),
        (region.names.audit_table, region.tables.audit),
        (region.names.workspaces_table, region.tables.workspaces),
    ):
        try:
            status = read()["TableStatus"]
        except Absent:
            status = "no such table"
        if status not in ("ACTIVE", "UPDATING"):
            evidence.append(Evidence("dynamodb:DescribeTable", name, status, "ACTIVE"))
    if not definition.task_role:
        evidence.append(
            Evidence("ecs:DescribeTaskDefinition", definition.name, "no task role", "a task role")
        )
    else:
        try:
            evidence += table_access.denials(region, definition.task_role)
        except Absent:
            evidence.append(
                Evidence("iam:ListRolePolicies", definition.task_role, "no such role", "the task role")
            )
    if not evidence:
        return ok("the tables are ACTIVE and the role may read and write them")
    denied = [line for line in region.logs.events("aws-error") if "dynamodb" in line.text.lower()]
    evidence += [
        Evidence("logs:FilterLogEvents", "control plane", line.message, "no error") for line in denied[-1:]
    ]
    return fail(f"{evidence[0].resource}: {evidence[0].saw}", *evidence)
