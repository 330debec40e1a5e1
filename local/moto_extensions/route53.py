"""Route 53: the ids of hosted zones begin with Z, as AWS's do."""

from functools import wraps
from typing import Any

from moto.route53.models import HostedZoneIdentifier

_generate = HostedZoneIdentifier.generate


@wraps(_generate)
def generate(self: HostedZoneIdentifier, *args: Any, **kwargs: Any) -> str:
    return "Z" + str(_generate(self, *args, **kwargs))[1:]


def install() -> None:
    HostedZoneIdentifier.generate = generate
