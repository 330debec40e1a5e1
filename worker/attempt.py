"""One attempt, from an assignment to an outcome: clone, run the agent, collect its changes."""

import os
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from outpost.errors import OutpostError
from outpost.exit_codes import WorkerExit
from outpost.failure import Failure, TaskEnd, classify, no_changes
from outpost.names import family
from worker import disk
from worker.agents import ADAPTERS, Invocation, Job, Reader
from worker.changes import Changes, Start, collect
from worker.control import Assignment
from worker.git import Git, Interrupted
from worker.journal import Journal
from worker.memory import container_mib, kernel_kills
from worker.process import Ended, Identity, Limits, run
from worker.settings import Settings
from worker.stopping import Stop
from worker.workspace import Directories, prepared

# What an agent's environment may take from the worker's. Everything else stays behind: the token, the
# addresses of the control plane, credentials of any kind.
PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
    "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the attempt ended. `agent_exit_code` is the CLI's own; the container's is `exit_code`."""

    exit_code: WorkerExit
    failure: Failure | None = None
    summary: str = ""
    error: str = ""  # the CLI's own last error
    changes: Changes = field(default_factory=Changes)
    agent_exit_code: int | None = None
    agent_started_at: float | None = None  # seconds since the epoch
    peak_memory_mib: int = 0


class Attempt:
    """Carries out one assignment. Always answers with an outcome; what went wrong is in it and in the log."""

    def __init__(
        self,
        settings: Settings,
        assignment: Assignment,
        directories: Directories,
        journal: Journal,
        identity: Identity | None,
        stop: Stop,
    ) -> None:
        self._settings = settings
        self._assignment = assignment
        self._directories = directories
        self._journal = journal
        self._identity = identity
        seconds = min(assignment.timeout_seconds, max(assignment.deadline_at - time.time(), 1.0))
        self._limits = Limits(
            deadline=time.monotonic() + seconds,
            stop=stop,
            memory_mib=container_mib(settings.memory_mib),
        )
        self._kills = kernel_kills()
        self._git = Git(
            home=directories.home,
            configuration=directories.task / "gitconfig",
            identity=identity,
            base_environment=base_environment(),
            git_hosts=settings.git_hosts,
            local_region=settings.local_region,
            stop=stop,
        )

    def run(self) -> Outcome:
        """Clone, run, collect."""
        try:
            if not self._settings.api_key:
                raise OutpostError("api-key-missing", f"{self._settings.spec.key_variable} not set")
            with prepared(
                self._git,
                self._settings,
                self._assignment,
                self._directories,
                self._limits,
                self._journal.say,
            ) as start:
                outcome = self._agent(start.repository)
                return self._collect(outcome, start)
        except Interrupted as interrupted:  # while cloning or waiting for the workspace
            return self._ended(Ended(exit_code=-1, by=interrupted.by), Reader())
        except Exception as error:  # noqa: BLE001 - whatever it was, what there is is saved and reported
            self._journal.say(str(error) or repr(error), level="error")
            return Outcome(exit_code=WorkerExit.FAILED, failure=self._failure(error), summary=str(error))

    def _failure(self, error: Exception) -> Failure | None:
        """Why it could not even start."""
        if self._disk_is_full(error):
            return disk.failure(str(error))
        return self._classify(WorkerExit.FAILED)

    def _disk_is_full(self, error: Exception) -> bool:
        return disk.speaks_of_it(error) or disk.is_full(self._directories.root)

    def _agent(self, repository: Path) -> Outcome:
        adapter = ADAPTERS[self._settings.agent]
        invocation = self._invocation()
        reader = adapter.reader()
        started_at = time.time()
        who = f"the rehearsal of {adapter.agent}" if self._settings.rehearsal else adapter.executable
        uid = self._identity.uid if self._identity else os.geteuid()
        self._journal.say(f"starting {who} as uid {uid}")

        def on_line(line: str) -> None:
            for text in reader.read(line):
                self._journal.say(text, stream="agent")

        ended = run(
            invocation.argv,
            cwd=repository,
            environment={**base_environment(), **self._agent_environment(), **invocation.environment},
            limits=self._limits,
            on_line=on_line,
            identity=self._identity,
            stdin=invocation.stdin,
        )
        return replace(self._ended(ended, reader), agent_started_at=started_at)

    def _agent_environment(self) -> dict[str, str]:
        return {
            "HOME": str(self._directories.home),
            "TMPDIR": str(self._directories.scratch),
            "USER": self._settings.agent_user,
            "GIT_CONFIG_GLOBAL": str(self._directories.task / "gitconfig"),
            "GIT_TERMINAL_PROMPT": "0",
            "CI": "1",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "OUTPOST_DISPATCH_ID": self._assignment.dispatch_id,
        }

    def _invocation(self) -> Invocation:
        """Lay task and context as files, beside the repository so that they are no part of its changes."""
        assignment, task = self._assignment, self._directories.task
        prompt = assignment.task
        self._lay("task.md", assignment.task)
        if assignment.context:
            self._lay("context.md", assignment.context)
            prompt = f"{assignment.task}\n\n# Context\n\n{assignment.context}"
        if self._settings.rehearsal:
            self._lay("prompt.md", prompt)
            script = Path(__file__).with_name("rehearsal.py")
            if not script.is_file():
                raise OutpostError("no-rehearsal", "This image has no rehearsal: it calls real agents only.")
            return Invocation(
                argv=(sys.executable, "-I", "-S", str(script), self._settings.agent, str(task / "prompt.md"))
            )
        self._lay("prompt.md", prompt)
        job = Job(
            prompt=task / "prompt.md",
            home=self._directories.home,
            model=assignment.model,
            api_key=self._settings.api_key,
        )
        return ADAPTERS[self._settings.agent].invocation(job)

    def _lay(self, name: str, text: str) -> None:
        path = self._directories.task / name
        path.write_text(text, encoding="utf-8", errors="replace")

    def _ended(self, ended: Ended, reader: Reader) -> Outcome:
        code, reason = self._exit_code(ended)
        self._journal.say(reason, level="info" if code is WorkerExit.COMPLETED else "error")
        return Outcome(
            exit_code=code,
            failure=self._classify(code),
            summary=reader.summary or reader.error or reason,
            error=reader.error,
            agent_exit_code=ended.exit_code if ended.by == "exit" else None,
            peak_memory_mib=ended.peak_mib,
        )

    def _exit_code(self, ended: Ended) -> tuple[WorkerExit, str]:
        match ended.by:
            case "deadline":
                seconds = f"{self._assignment.timeout_seconds:.0f} s"
                return WorkerExit.TIMEOUT, f"the dispatch reached its timeout of {seconds}"
            case "memory":
                return WorkerExit.OUT_OF_MEMORY, (
                    f"OutOfMemory: the agent's processes took {ended.peak_mib} MiB "
                    f"of the container's {self._limits.memory_mib} MiB"
                )
            case "stop":
                return WorkerExit.TERMINATED, "the task was told to stop"
        match ended.exit_code:
            case 0:
                return WorkerExit.COMPLETED, "the agent ended with exit code 0"
            case -11 | 139:
                return WorkerExit.SEGMENTATION_FAULT, "the agent crashed with a segmentation fault"
            case -9 | 137 if kernel_kills() > self._kills:
                return WorkerExit.OUT_OF_MEMORY, "OutOfMemory: the kernel killed the agent"
        return WorkerExit.FAILED, f"the agent ended with exit code {ended.exit_code}"

    def _collect(self, outcome: Outcome, start: Start) -> Outcome:
        scratch, out = self._directories.scratch, self._directories.out
        if disk.is_full(self._directories.root):
            # The agent is gone, and with it the use of its caches: their place is for what it changed.
            self._journal.say("the disk is full: its caches are removed", level="error")
            disk.empty((self._directories.home, scratch))
            if outcome.exit_code is WorkerExit.FAILED:
                outcome = replace(outcome, failure=disk.failure(outcome.summary))
        try:
            changes = collect(self._git, start, scratch, out, name=self._assignment.dispatch_id)
        except (OutpostError, OSError) as error:
            self._journal.say(f"The changes could not be collected: {error}", level="error")
            if outcome.exit_code is not WorkerExit.COMPLETED:
                return outcome
            unreadable = Failure(
                code="changes-not-collected",
                summary="The agent ended well, but left a repository that git cannot read.",
                remedy="Read the log; the task may have removed or rewritten .git.",
                evidence=str(error),
            )
            failure = disk.failure(str(error)) if self._disk_is_full(error) else unreadable
            return replace(outcome, exit_code=WorkerExit.FAILED, failure=failure)
        self._journal.say(
            f"changes: {changes.files} files, +{changes.insertions} -{changes.deletions}, "
            f"{changes.commits} commits of its own"
        )
        if outcome.exit_code is WorkerExit.COMPLETED and not changes.any:
            if outcome.error:  # a CLI that reports an error and still ends with 0
                failed = WorkerExit.FAILED
                return replace(outcome, exit_code=failed, failure=self._classify(failed))
            outcome = replace(outcome, failure=no_changes(self._journal.tail))
        return replace(outcome, changes=changes)

    def _classify(self, code: WorkerExit) -> Failure | None:
        return classify(
            TaskEnd(
                exit_code=code,
                log_tail=self._journal.tail,
                agent_started=True,
                family=family(self._settings.agent),
            )
        )


def base_environment() -> dict[str, str]:
    """What the agent and git may have of the worker's environment."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}
