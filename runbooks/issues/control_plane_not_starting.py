"""Control plane not starting: its tasks end as soon as they begin; the exit code tells why."""

from __future__ import annotations

from outpost.exit_codes import WorkerExit
from outpost.names import SERVICE
from runbooks.alarms import EventAlarm
from runbooks.definitions import ROLL_OUT, deploy, next_memory, with_memory
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, supporting, warn
from runbooks.observations import Region
from runbooks.observations.shapes import Task
from runbooks.remedies import Action, Call, Plan

RUNBOOK = Runbook(
    issue="control-plane-not-starting",
    title="Control plane not starting",
    section="Control plane",
    symptoms=("ECS task stays in PENDING or STOPPED", "Exit code 1 in task"),
    alarm=EventAlarm(
        event_pattern={
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {
                "lastStatus": ["STOPPED"],
                "group": [f"service:{SERVICE}"],
                "$or": [
                    {"containers": {"exitCode": [{"anything-but": [0, int(WorkerExit.TERMINATED)]}]}},
                    {"stopCode": ["TaskFailedToStart"]},  # it has no exit code
                ],
            },
        }
    ),
    severity=Severity.PLATFORM,
)

# ECS's stop codes of a task that something ended; one that ended by itself has another.
TOLD_TO_STOP = ("ServiceSchedulerInitiated", "SpotInterruption", "TerminationNotice", "UserInitiated")
SHOWN = 3  # kinds of ends that are given as evidence
STARTUP = 30  # seconds; as health-check-failing has it: a task that lives longer has started
_OTHERS = (WorkerExit.OUT_OF_MEMORY, WorkerExit.SEGMENTATION_FAULT, WorkerExit.TERMINATED)


def _ended(tasks: list[Task]) -> list[Evidence]:
    """How tasks ended, the newest kind first; those that ended alike are counted."""
    kinds: dict[tuple[int | None, str], list[Task]] = {}
    for task in tasks:
        kinds.setdefault((task.exit_code, task.reason or task.stopped_reason), []).append(task)
    found = []
    for (code, reason), alike in list(kinds.items())[:SHOWN]:
        lives = [task.lifetime for task in alike if task.lifetime is not None]
        longest = f" in {max(lives):.0f} s at most" if len(alike) > 1 and lives else ""
        lived = longest or (f" after {lives[0]:.0f} s" if lives else " before it ran")
        who = f"task {alike[0].id}" + (f", and {len(alike) - 1} more alike" if len(alike) > 1 else "")
        saw = f"exit {code}{lived}: {reason}" if code is not None else f"no exit code{lived}: {reason}"
        found.append(Evidence("ecs:DescribeTasks", who, saw, "running"))
    return found


def _judged(region: Region, tasks: list[Task], summary: str, *more: Evidence) -> Judgement:
    """A failure while the service lacks tasks; a warning once ECS keeps an older revision running."""
    verdict = warn if region.containers.steady() else fail
    evidence, runs = (*_ended(tasks), *more), region.containers.definition().name
    tried = tasks[0].definition.rpartition("/")[2]
    if tried == runs or not region.containers.rolled_back():
        return verdict(summary, *evidence)
    told = verdict(f"{summary.rstrip('.')}; ECS rolled {tried} back, and {runs} runs", *evidence)
    return told.by_a_person()


def _roll_back(region: Region) -> Plan | None:
    """Back to the deployment that still runs beside the failing one."""
    service = region.containers.service()
    older = [d for d in service.get("deployments", []) if d["status"] == "ACTIVE" and d.get("runningCount")]
    if not older:
        return None
    where = {"cluster": region.names.cluster, "service": SERVICE}
    back = Call("ecs:UpdateService", where | {"taskDefinition": older[0]["taskDefinition"]})
    undo = Call("ecs:UpdateService", where | {"taskDefinition": service["taskDefinition"]})
    return Plan(actions=(Action(back, undo),), state=service["taskDefinition"], settle=ROLL_OUT)


@RUNBOOK.cause(
    "application-error",
    guide="Exit code 1: application error",
    solution="Check logs for stack trace.",
    remedy=_roll_back,
)
def application_error(region: Region) -> Judgement:
    """The control plane's program ends with an error."""
    failed = region.containers.failed()
    crashed = [task for task in failed if task.exit_code not in (None, 0) and task.exit_code not in _OTHERS]
    never = [task for task in failed if task.exit_code is None and task.stop_code == "TaskFailedToStart"]
    if not crashed and never:
        image = region.containers.described(never[0].definition).container.get("image", "")
        seen = Evidence(
            "ecs:DescribeTaskDefinition", never[0].definition, f"image {image}", "one that starts"
        )
        return _judged(region, never, f"its tasks do not start: {never[0].stopped_reason}", seen)
    if not crashed:
        return ok("no task of the control plane ended with an error")
    lines = region.logs.control_plane_task(crashed[0].id)
    said = [line.message.strip() for line in lines if line.message.strip()]
    trace = [line for line in said if "Traceback" in line] or said[-3:]
    log = [
        Evidence("logs:GetLogEvents", f"task {crashed[0].id}", line[-600:], "a start without errors")
        for line in trace[-3:]
    ]
    last = trace[-1].splitlines()[-1] if trace else "and wrote nothing to its log"
    return _judged(region, crashed, f"exit {crashed[0].exit_code}: {last}", *log)


def _more_memory(region: Region) -> Plan | None:
    definition = region.containers.definition()
    return deploy(region, with_memory(definition, next_memory(definition)))


@RUNBOOK.cause(
    "out-of-memory",
    guide="Exit code 137: OOM killed",
    solution="Increase memory.",
    explains=("health-check-failing/memory-exhausted",),
    remedy=_more_memory,
)
def out_of_memory(region: Region) -> Judgement:
    """The control plane is killed for its memory while it starts."""
    killed = [task for task in region.containers.failed() if task.exit_code == WorkerExit.OUT_OF_MEMORY]
    oom = [task for task in killed if task.out_of_memory and (task.lifetime or 0) < STARTUP]
    if oom:
        memory = region.containers.described(oom[0].definition).memory
        return _judged(region, oom, f"{memory} MB are not enough to start the control plane")
    told_to_stop = [
        t for t in killed if t.stop_code in TOLD_TO_STOP or "Scaling activity" in t.stopped_reason
    ]
    unexplained = [task for task in killed if not task.out_of_memory and task not in told_to_stop]
    if unexplained:
        highest = region.metrics.series("memory").highest
        against = Evidence(
            "cloudwatch:GetMetricData", "MemoryUtilization", f"at most {highest:.0f} %", "~100 %"
        )
        return warn(
            "killed (137), and nothing says that memory was the reason", *_ended(unexplained), against
        )
    if told_to_stop:
        return ok("exit code 137 of a task that was told to stop and took longer than its stop timeout")
    return ok("no task was killed for its memory while it started")


@RUNBOOK.cause(
    "segmentation-fault",
    guide="Exit code 139: segfault",
    solution="Check for native module issues.",
    remedy=_roll_back,
)
def segmentation_fault(region: Region) -> Judgement:
    """The control plane crashes in native code."""
    crashed = [task for task in region.containers.failed() if task.exit_code == WorkerExit.SEGMENTATION_FAULT]
    if not crashed:
        return ok("no task of the control plane ended with exit code 139")
    image = region.containers.described(crashed[0].definition).container.get("image", "")
    seen = Evidence("ecs:DescribeTaskDefinition", crashed[0].definition, f"image {image}", "one that starts")
    return _judged(region, crashed, "a native module crashed (exit code 139)", seen)


def _scale_up(region: Region) -> Plan | None:
    service = region.containers.service()
    if service["desiredCount"] > 0:
        return None
    where = {"cluster": region.names.cluster, "service": SERVICE}
    up = Call("ecs:UpdateService", where | {"desiredCount": 1})
    undo = Call("ecs:UpdateService", where | {"desiredCount": 0})
    return Plan(actions=(Action(up, undo),), state=0, settle=ROLL_OUT)


@RUNBOOK.cause(
    "terminated",
    guide="Exit code 143: SIGTERM",
    solution="Normal shutdown, check scaling rules.",
    remedy=_scale_up,
)
def terminated(region: Region) -> Judgement:
    """The control plane is shut down normally: something scales it in."""
    service = region.containers.service()
    stopped = [
        task
        for task in region.containers.stopped()
        if task.exit_code == WorkerExit.TERMINATED or "Scaling activity" in task.stopped_reason
    ]
    if service["desiredCount"] > 0:
        return ok(f"{service['desiredCount']} tasks are wanted; {len(stopped)} were shut down normally")
    evidence = [Evidence("ecs:DescribeServices", SERVICE, "desiredCount 0", "at least 1")]
    evidence += _ended(stopped)[:2]
    evidence += supporting(lambda: _scaled_by(region))
    evidence += supporting(
        lambda: (
            Evidence("ecs:DescribeServices", "events", message, "tasks that run")
            for message in [event for event in region.containers.events() if "has stopped" in event][:1]
        )
    )
    return fail("the service is scaled to 0 tasks", *evidence)


def _scaled_by(region: Region) -> list[Evidence]:
    """What auto scaling did to the service."""
    source = "application-autoscaling:DescribeScalingActivities"
    activities = region.containers.scaling_activities()[:2]
    return [Evidence(source, SERVICE, activity["Cause"], "no scaling to 0") for activity in activities]
