"""Faults of containers that are smaller than recommended."""

from collections.abc import Callable

from outpost.agents import AGENTS, CONTROL_PLANE, Agent
from outpost.names import family
from runbooks.definitions import registration
from tests.runbooks.faults.stack import Fault, Stack


def control_plane_undersized(stack: Stack) -> None:
    stack.deploy(registration(stack.definition(), memory=str(CONTROL_PLANE.memory // 2)))
    stack.steady()


def _undersized(agent: Agent) -> Callable[[Stack], None]:
    def inject(stack: Stack) -> None:
        memory = AGENTS[agent].tier.memory // 2
        stack.register(registration(stack.definition(family(agent)), memory=str(memory)))

    return inject


FAULTS = (
    Fault("memory-pressure/control-plane-undersized", control_plane_undersized, mended=True),
    Fault("memory-pressure/flagship-undersized", _undersized(Agent.CLAUDE), mended=True),
    Fault("memory-pressure/balanced-undersized", _undersized(Agent.CODEX), mended=True),
    Fault("memory-pressure/fast-undersized", _undersized(Agent.AIDER), mended=True),
)
