"""The reader's own machine: environment, the assistant's configuration of MCP servers, and its process."""

from __future__ import annotations

from runbooks.looking import Absent, Answer, Look
from runbooks.target import Target

VARIABLES = ("OUTPOST_SSM_INSTANCE", "OUTPOST_CLIENT_CONFIG")
CONFIGURATION = "~/.claude.json"
ASSISTANT = "claude"  # the process that reads it


class Client:
    """Paths and process names are settings of the reader's environment (`OUTPOST_CLIENT_CONFIG`)."""

    def __init__(self, look: Look, target: Target) -> None:
        self._look = look
        self._target = target

    def environment(self) -> dict[str, str]:
        """Outpost's variables of the environment; the key is not among them."""
        answer = self._look("client:Environment", names=list(VARIABLES))
        return dict(answer["variables"])

    @property
    def has_key(self) -> bool:
        return bool(self._target.api_key)

    def configuration_path(self) -> str:
        return self.environment().get("OUTPOST_CLIENT_CONFIG") or CONFIGURATION

    def server(self) -> Answer | None:
        """The assistant's entry for Outpost's MCP server, and when its file changed; None without one."""
        try:
            answer = self._look("client:Configuration", path=self.configuration_path())
        except Absent:
            return None
        for name, server in answer["servers"].items():
            environment = server.get("env") or {}
            known = "outpost" in name.lower() or name == "mcpify"
            if known or any(variable.startswith("OUTPOST_") for variable in environment):
                return {**server, "name": name, "env": environment, "changed": answer["changed"]}
        return None

    def installed_version(self, server: Answer) -> str:
        """The version of Outpost that a configured MCP server runs; empty when it cannot be told."""
        paths = [
            str(server.get("cwd") or ""),
            str(server.get("command") or ""),
            *map(str, server.get("args") or []),
        ]
        candidates = [path for path in paths if path.startswith(("/", "~"))]
        try:
            return str(self._look("client:Version", paths=candidates)["version"])
        except Absent:
            return ""

    def assistant_started(self) -> float | None:
        """When the oldest running assistant started, in seconds since 1970; None when none runs."""
        started: list[float] = self._look("client:Processes", name=ASSISTANT)["started"]
        return min(started, default=None)

    def get(self, url: str, *, authenticated: bool = False) -> Answer:
        """What a URL answers, sent with the environment's API key or without."""
        return self._look("http:Get", url=url, authenticated=authenticated)
