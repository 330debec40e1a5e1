"""Asks the control plane how it is, through the load balancer, as a client would."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from outpost.errors import OutpostError
from outpost.names import Names

TIMEOUT = 180  # seconds for the load balancer to see the new tasks as healthy
POLL = 3  # seconds
REQUEST_TIMEOUT = 5  # seconds


class UnhealthyError(OutpostError):
    """The control plane did not get healthy, or runs another version."""


def address(balancers: Any, names: Names) -> str:
    """The load balancer's address. Raises `OutpostError` (`no-load-balancer`)."""
    try:
        (found,) = balancers.describe_load_balancers(Names=[names.load_balancer])["LoadBalancers"]
    except balancers.exceptions.LoadBalancerNotFoundException as error:
        raise OutpostError(
            "no-load-balancer",
            f"There is no load balancer {names.load_balancer}.",
            remedy="Deploy the stack first: ./inv deploy.",
        ) from error
    return f"http://{found['DNSName']}"


def await_health(
    url: str,
    *,
    version: str = "",
    timeout: float | None = None,
    poll: float = POLL,
    get: Callable[[str], httpx.Response] = lambda url: httpx.get(url, timeout=REQUEST_TIMEOUT),
) -> Mapping[str, Any]:
    """The answer of GET /health, once it is healthy and of the version; else raises `UnhealthyError`."""
    patience = TIMEOUT if timeout is None else timeout
    until = time.monotonic() + patience
    while True:
        seen, answer = _ask(url, get)
        if answer.get("status") == "healthy" and version in ("", answer.get("version")):
            return answer
        if time.monotonic() > until:
            wanted = f" and of version {version}" if version else ""
            raise UnhealthyError(
                "unhealthy",
                f"{url}/health was not healthy{wanted} within {patience:.0f} s; the last answer: {seen}",
                remedy="Run ./inv diagnose --issue health-check-failing.",
            )
        time.sleep(poll)


def _ask(url: str, get: Callable[[str], httpx.Response]) -> tuple[str, Mapping[str, Any]]:
    try:
        response = get(f"{url}/health")
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}", {}
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    return f"{response.status_code} {response.text[:200]}", answer if isinstance(answer, dict) else {}
