"""`python -m worker`: claim, carry out, upload, report; the exit code tells the cause."""

import json
import os
import signal
import sys
import time
from dataclasses import asdict
from functools import partial
from types import FrameType

from outpost import worker_protocol
from outpost.errors import OutpostError
from outpost.exit_codes import WorkerExit
from outpost.failure import Failure
from worker import artifacts, disk
from worker.attempt import Attempt, Outcome
from worker.control import Assignment, ControlPlane, RefusedError, UnavailableError
from worker.journal import Journal, Redactor, iso
from worker.process import confine_self
from worker.settings import Settings
from worker.stopping import Patience, Stop
from worker.workspace import Directories, agent_identity

# Seconds that the control plane may be away, long enough for its replacement.
CLAIM_PATIENCE = 180.0
REPORT_PATIENCE = 180.0
IDLE_LIMIT = 3600.0  # seconds that an idle worker waits for a dispatch: it is paid for all the while


def main() -> int:
    """Work one attempt; the container's exit code (`outpost.exit_codes`)."""
    stop = Stop()
    _on_signals(stop)
    try:
        settings = Settings.parse(os.environ)
        confine_self()
        os.environ.pop(worker_protocol.TOKEN, None)
        identity = agent_identity(settings)
        directories = Directories.make(settings.work_directory, identity)
    except (OutpostError, OSError) as error:
        _complain(str(error))
        return WorkerExit.FAILED
    try:
        obtained = _obtain(settings, stop)
    except RefusedError as error:
        _complain(str(error))
        return WorkerExit.COMPLETED if settings.pool_slot else WorkerExit.REFUSED
    except UnavailableError as error:
        _complain(str(error))
        return WorkerExit.TERMINATED if stop.is_set() else WorkerExit.NO_ASSIGNMENT
    except OutpostError as error:
        _complain(str(error))
        return WorkerExit.FAILED
    if obtained is None:
        return WorkerExit.COMPLETED
    token, assignment = obtained
    redactor = Redactor([settings.token, token, settings.api_key])
    journal = Journal(assignment.dispatch_id, directories.out / "output.log", redactor)
    control = ControlPlane(settings.control_url, token)
    redactor.add(assignment.git_token)
    started_at = time.time()
    journal.say(f"dispatch {assignment.dispatch_id}, attempt {assignment.attempt}, agent {settings.agent}")
    outcome = Attempt(settings, assignment, directories, journal, identity, stop).run()
    return _finish(control, directories, journal, assignment, outcome, started_at, stop)


def _on_signals(stop: Stop, *, leave: bool = False) -> None:
    """Note SIGTERM and SIGINT; with `leave`, also break off what is waited for, by `UnavailableError`."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        if leave:
            raise UnavailableError("stopped", "Stopped while idle.")

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def _obtain(settings: Settings, stop: Stop) -> tuple[str, Assignment] | None:
    """The token and assignment: claimed, or leased by an idle worker; None when none came in time."""
    control = ControlPlane(settings.control_url, settings.token, stop)
    if not settings.pool_slot:
        return settings.token, control.claim(patience=Patience(CLAIM_PATIENCE))
    tired = time.monotonic() + IDLE_LIMIT
    while time.monotonic() < tired:
        if stop.is_set():
            raise UnavailableError("stopped", "Stopped while idle.")
        # An idle worker leaves at once: the longer it waited, the likelier would it be given a dispatch.
        _on_signals(stop, leave=True)
        leased = control.lease(settings.pool_slot, patience=Patience(CLAIM_PATIENCE))
        _on_signals(stop)
        if leased:
            return leased
    return None


def _finish(
    control: ControlPlane,
    directories: Directories,
    journal: Journal,
    assignment: Assignment,
    outcome: Outcome,
    started_at: float,
    stop: Stop,
) -> int:
    """Store the artifacts and report the result, whatever it is."""
    patience = Patience(REPORT_PATIENCE, stop)
    result = _result(outcome, journal.redact, started_at)
    if disk.is_full(directories.root):
        disk.empty((directories.repository, directories.scratch))  # collected by now, or not to be had
    identity = (directories.out, assignment.dispatch_id, assignment.attempt)
    for write in (
        partial(artifacts.write_result, *identity, result),
        journal.close,
        partial(artifacts.write_manifest, *identity),
    ):
        try:
            write()
        except OSError as error:  # the disk is still full: what there is, is better than nothing
            journal.complain(f"not every artifact could be written: {error}")
    exit_code = outcome.exit_code
    try:
        try:
            stored = artifacts.upload(control, directories.out, patience=patience, say=journal.complain)
        except artifacts.UploadError as error:
            stored = []
            if exit_code is WorkerExit.COMPLETED:
                # Without its artifacts the work is lost, so the dispatch did not succeed.
                exit_code = WorkerExit.FAILED
                result |= {
                    "exitCode": int(exit_code),
                    "reason": _reason(_upload_failure(error), journal.redact),
                }
        result["artifacts"] = [asdict(artifact) for artifact in stored]
        _report(control, result, patience)
    except RefusedError as error:
        journal.complain(str(error))
        # A worker that is told to stop may find its dispatch cancelled: it ended as it was told.
        return exit_code if stop.is_set() else WorkerExit.REFUSED
    except UnavailableError as error:
        journal.complain(str(error))
    return exit_code


def _report(control: ControlPlane, result: dict[str, object], patience: Patience) -> None:
    """Report the result; if the control plane cannot read it, then at least how it ended."""
    try:
        control.result(result, patience=patience)
    except RefusedError as error:
        if error.code != "invalid-request":
            raise
        control.result({"exitCode": result["exitCode"]}, patience=patience)


def _result(outcome: Outcome, redact: Redactor, started_at: float) -> dict[str, object]:
    return {
        "exitCode": int(outcome.exit_code),
        "reason": _reason(outcome.failure, redact),
        "summary": redact(outcome.summary),
        "changes": asdict(outcome.changes),
        "agentExitCode": outcome.agent_exit_code,
        "agentStartedAt": iso(outcome.agent_started_at) if outcome.agent_started_at else None,
        "peakMemoryMiB": outcome.peak_memory_mib,
        "startedAt": iso(started_at),
        "finishedAt": iso(time.time()),
    }


def _reason(failure: Failure | None, redact: Redactor) -> dict[str, str] | None:
    if failure is None:
        return None
    fields = ("code", "issue", "cause", "summary", "remedy", "evidence")
    return {name: redact(str(getattr(failure, name))) for name in fields}


def _upload_failure(error: artifacts.UploadError) -> Failure:
    return Failure(
        code=error.code,
        issue="s3-access-denied" if error.denied else "",
        summary="The artifacts could not be stored, so the agent's work is lost.",
        remedy="Check the control plane's s3:PutObject permission, the bucket policy and S3_ARTIFACTS_BUCKET."
        if error.denied
        else "Dispatch it again.",
        evidence=error.message,
    )


def _complain(message: str) -> None:
    """Before there is a journal: the same form, on stdout."""
    record = {
        "time": iso(time.time()),
        "level": "error",
        "dispatchId": os.environ.get(worker_protocol.DISPATCH_ID, ""),
        "stream": "worker",
        "message": message,
    }
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
