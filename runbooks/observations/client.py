"""The reader's own machine: environment, the assistant's configuration of MCP servers, and its processes.

Home directory and environment are the target's, so that a test or another user's can be looked at.
"""

from __future__ import annotations

from outpost.api_keys import KEY_FORM, PREFIX_LENGTH
from runbooks.looking import Absent, Answer, Look
from runbooks.target import Target

VARIABLES = ("OUTPOST_SSM_INSTANCE", "OUTPOST_CLIENT_CONFIG")
CONFIGURATION = "~/.claude.json"
ASSISTANT = "claude"  # the process that reads it


class Client:
    """`OUTPOST_CLIENT_CONFIG` names the assistant's configuration where it is not in its usual place."""

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

    @property
    def key_well_formed(self) -> bool:
        """Whether the environment's key has the form of one: `otp_` and 64 hex digits."""
        return KEY_FORM.fullmatch(self._target.api_key) is not None

    @property
    def key_prefix(self) -> str:
        """What of the environment's key may be shown; empty without one, or when it is no such key."""
        return self._target.api_key[:PREFIX_LENGTH] if self.key_well_formed else ""

    def configuration_path(self) -> str:
        return self.environment().get("OUTPOST_CLIENT_CONFIG") or CONFIGURATION

    def server(self) -> Answer | None:
        """The assistant's entry for Outpost's MCP server, and when its file changed; None without one."""
        try:
            answer = self._look("client:Configuration", path=self.configuration_path())
        except Absent:
            return None
        return next(({**server, "changed": answer["changed"]} for server in answer["servers"]), None)

    def installed(self, server: Answer) -> Answer | None:
        """What is installed of a configured MCP server: `version`, `behind`; None when it is not found."""
        try:
            return self._look("client:Version", paths=server["paths"])
        except Absent:
            return None

    def processes(self, server: Answer) -> Answer:
        """When the `assistants` started, and which `servers` run, with which of Outpost's variables."""
        return self._look("client:Processes", name=ASSISTANT, paths=server["paths"])

    def get(self, url: str, *, authenticated: bool = False) -> Answer:
        """What a URL answers, sent with the environment's API key or without."""
        return self._look("http:Get", url=url, authenticated=authenticated)
