"""One adapter per agent: how its CLI is called headless, and how its output is read."""

from outpost.agents import Agent
from worker.agents.aider import AIDER
from worker.agents.base import Adapter, Invocation, Job, Reader
from worker.agents.claude import CLAUDE
from worker.agents.codex import CODEX
from worker.agents.gemini import GEMINI
from worker.agents.grok import GROK

ADAPTERS: dict[Agent, Adapter] = {adapter.agent: adapter for adapter in (CLAUDE, CODEX, GEMINI, AIDER, GROK)}

__all__ = ["ADAPTERS", "Adapter", "Invocation", "Job", "Reader"]
