"""Faults of keys that lack a scope."""

from collections.abc import Callable

import pytest

from tests.runbooks.faults.callers import logged, provision
from tests.runbooks.faults.stack import Fault, Stack

REQUESTS = {
    "dispatch": ("POST", "/dispatch"),
    "status": ("GET", "/fleet"),
    "promote": ("POST", "/promote"),
    "admin": ("GET", "/keys"),
}


def _refused(scope: str) -> Callable[[Stack], None]:
    def inject(stack: Stack) -> None:
        """A key with every scope but this one asks for it."""
        others = tuple(other for other in REQUESTS if other not in (scope, "admin"))
        key = provision(stack, f"no-{scope}", others)
        method, path = REQUESTS[scope]
        body = {"agent": "claude", "task": "anything", "dispatchId": "01J0000000000000000000000A"}
        status, problem = (
            stack.get(path, X_API_Key=key) if method == "GET" else stack.post(path, body, X_API_Key=key)
        )
        if (status, scope) == (404, "promote"):
            pytest.skip("the control plane has no POST /promote yet")
        assert (status, problem.get("missingScope")) == (403, scope), problem
        logged(stack, "scope-missing")

    return inject


FAULTS = tuple(Fault(f"forbidden/missing-{scope}-scope", _refused(scope)) for scope in REQUESTS)
