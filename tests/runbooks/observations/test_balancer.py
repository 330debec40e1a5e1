"""Where the API is looked for."""

from dataclasses import replace
from typing import Any, cast

import pytest

from outpost.names import PUBLIC_URL
from runbooks.looking import Absent, Look
from runbooks.observations.balancer import Balancer
from runbooks.observations.containers import Containers
from runbooks.observations.shapes import Definition
from runbooks.target import Target

TARGET = replace(Target.from_environment(environment={}), api_url="")


class Told:
    """Containers whose control plane was told where clients find it; not deployed when that is None."""

    def __init__(self, url: str | None) -> None:
        self._url = url

    def definition(self) -> Definition:
        if self._url is None:
            raise Absent("ecs:DescribeTaskDefinition", "MISSING", "outpost-control-plane")
        variables = [{"name": PUBLIC_URL, "value": self._url}]
        return Definition({"containerDefinitions": [{"name": "control-plane", "environment": variables}]})


def url(target: Target, told: str | None) -> str:
    def look(operation: str, **arguments: Any) -> dict[str, Any]:
        return {"LoadBalancers": [{"DNSName": "balancer.example"}]}

    return Balancer(cast(Look, look), target, cast(Containers, Told(told))).url()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("http://balancer.example", "http://balancer.example"),
        (None, "http://balancer.example"),
    ],
)
def test_the_api_is_at_the_stacks_domain_if_it_has_one(told: str | None, expected: str) -> None:
    assert url(TARGET, told) == expected


def test_the_environment_decides_first() -> None:
    assert url(replace(TARGET, api_url="http://local"), "https://api.example.com") == "http://local"
