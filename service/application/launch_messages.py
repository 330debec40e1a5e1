"""What launchers are sent, and what they launch it from."""

import json
from dataclasses import dataclass

from outpost import names
from outpost.agents import Agent
from service.domain.job import Job
from service.domain.times import iso


def family_of(job: Job) -> str:
    """The task definition family of a job: the agent's, or the tenant's own in persistent mode (ADR 0011)."""
    return _family(job.agent, job.tenant_id, persistent=job.workspace == "persistent")


def _family(agent: Agent, tenant_id: str, *, persistent: bool) -> str:
    return f"{names.family(agent)}-{tenant_id}" if persistent else names.family(agent)


@dataclass(frozen=True, kw_only=True)
class LaunchMessage:
    """What launchers are sent. `fresh` says that the job is as it was made, so need not be read."""

    tenant_id: str
    dispatch_id: str
    agent: Agent
    created_at: float
    queued_at: float  # from when on it can be received
    fresh: bool = False
    persistent: bool = False

    @property
    def family(self) -> str:
        """The task definition family that it is launched from."""
        return _family(self.agent, self.tenant_id, persistent=self.persistent)

    def encode(self) -> str:
        return json.dumps(
            {
                "tenantId": self.tenant_id,
                "dispatchId": self.dispatch_id,
                "agent": self.agent,
                "createdAt": iso(self.created_at),
                "createdEpoch": self.created_at,
                "queuedEpoch": self.queued_at,
                "fresh": self.fresh,
                "persistent": self.persistent,
            }
        )

    @classmethod
    def decode(cls, body: str) -> "LaunchMessage":
        """Raises `ValueError` for a message that is not one."""
        try:
            found = json.loads(body)
            return cls(
                tenant_id=found["tenantId"],
                dispatch_id=found["dispatchId"],
                agent=Agent(found["agent"]),
                created_at=float(found["createdEpoch"]),
                queued_at=float(found["queuedEpoch"]),
                fresh=bool(found.get("fresh")),
                persistent=bool(found.get("persistent")),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a launch message: {error}") from error

    def job(self) -> Job:
        """The job as it was when it was made, as far as launching it needs."""
        return Job(
            tenant_id=self.tenant_id,
            dispatch_id=self.dispatch_id,
            agent=self.agent,
            created_at=self.created_at,
            timeout_seconds=0,
        )
