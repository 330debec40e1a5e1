"""The reader's own machine: environment variables and the assistant's configuration of MCP servers."""

from __future__ import annotations

from runbooks.looking import Absent, Answer, Look
from runbooks.target import Target

VARIABLES = ("OUTPOST_API_URL", "OUTPOST_SSM_INSTANCE", "OUTPOST_MCP_SERVER", "OUTPOST_CLIENT_CONFIG")
CONFIGURATION = "~/.claude.json"


class Client:
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
            if (
                "outpost" in name.lower()
                or name == "mcpify"
                or any(k.startswith("OUTPOST_") for k in environment)
            ):
                return {**server, "name": name, "env": environment, "changed": answer["changed"]}
        return None

    def get(self, url: str, *, authenticated: bool = False) -> Answer:
        """What a URL answers, sent with the environment's API key or without."""
        return self._look("http:Get", url=url, authenticated=authenticated)
