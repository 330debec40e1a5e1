"""What `/fleet` and `/health` answer: refreshed in the background, read from memory."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from outpost import names
from outpost.agents import AGENTS, Agent
from service import log
from service.domain.ports import Clock, Secrets, UnavailableError

STALE_SECONDS = 180  # three refreshes were missed


@dataclass(frozen=True, kw_only=True)
class AgentState:
    """Whether an agent can be dispatched to and, if not, why."""

    available: bool
    reason: str | None = None
    issue: str | None = None
    cause: str | None = None


UNKNOWN = AgentState(available=False, reason="not checked yet")


@dataclass(frozen=True, kw_only=True)
class FleetState:
    """One look at the fleet; `checked_at` in epoch seconds, 0 before the first."""

    agents: Mapping[Agent, AgentState] = field(default_factory=lambda: dict.fromkeys(Agent, UNKNOWN))
    replicas: int = 1
    queue_depth: int = 0
    checked_at: float = 0
    checks: Mapping[str, str] = field(default_factory=dict)


class Fleet:
    """Refreshes by one call at a time; whoever reads gets the last look without waiting."""

    def __init__(
        self,
        *,
        definition_problem: Callable[[str], str | None],
        replicas: Callable[[str], int],
        depth: Callable[[], int],
        database: Callable[[], object],
        secrets: Secrets,
        clock: Clock,
    ) -> None:
        self._definition_problem = definition_problem
        self._replicas = replicas
        self._depth = depth
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._refreshing = threading.Lock()
        self.state = FleetState()

    def refresh(self) -> bool:
        """Look again, unless someone is looking already."""
        if not self._refreshing.acquire(blocking=False):
            return False
        try:
            checks: dict[str, str] = {}
            before = self.state
            self.state = FleetState(
                agents={agent: self._agent(agent, before) for agent in Agent},
                replicas=self._tried("ecs", checks, lambda: self._replicas(names.SERVICE), before.replicas),
                queue_depth=self._tried("sqs", checks, self._depth, before.queue_depth),
                checked_at=self._clock(),
                checks=checks | self._database_check(),
            )
        finally:
            self._refreshing.release()
        return True

    def _agent(self, agent: Agent, before: FleetState) -> AgentState:
        spec = AGENTS[agent]
        try:
            problem = self._definition_problem(names.family(agent))
            if problem is not None:
                return AgentState(
                    available=False,
                    reason=problem,
                    issue="dispatch-stuck-pending",
                    cause="task-definition-missing",
                )
            if not self._secrets.has_value(names.agent_secret(agent)):
                return AgentState(
                    available=False,
                    reason=f"secret {names.agent_secret(agent)} has no value ({spec.key_variable})",
                    issue="agent-fails-immediately",
                    cause="api-key-missing",
                )
        except UnavailableError as error:
            last = before.agents[agent]
            return AgentState(
                available=last.available,
                reason=f"could not look: {error.service} {error.code}",
                issue=last.issue,
                cause=last.cause,
            )
        return AgentState(available=True)

    @staticmethod
    def _tried(name: str, checks: dict[str, str], look: Callable[[], int], before: int) -> int:
        try:
            value = look()
        except UnavailableError as error:
            log.warning("fleet look failed", event="aws-error", operation=name, code=error.code)
            checks[name] = error.code
            return before
        checks[name] = "ok"
        return value

    def _database_check(self) -> dict[str, str]:
        try:
            self._database()
        except UnavailableError as error:
            log.warning("database look failed", event="aws-error", operation="dynamodb", code=error.code)
            return {"dynamodb": error.code}
        return {"dynamodb": "ok"}

    def health(self) -> tuple[str, Mapping[str, str]]:
        """`healthy`, or `degraded` if a dependency failed at the last look or the looks have stopped.

        Never unhealthy for a dependency's sake: replacing every replica would mend nothing and end what
        still works.
        """
        state = self.state
        checks = dict(state.checks)
        if state.checked_at and self._clock() - state.checked_at > STALE_SECONDS:
            checks["fleet"] = "stale"
        healthy = bool(checks) and all(value == "ok" for value in checks.values())
        return ("healthy" if healthy or not state.checked_at else "degraded"), checks
