"""Findings of the scanner that are accepted, each with the reason. One that no longer occurs is an error."""

import re
from dataclasses import dataclass

SMALL = "dev is small, cheap and disposable; prod has it, by its settings."
NO_CERTIFICATE = (
    "dev has no certificate of its own; with certificateArn HTTP only redirects, as the scan of prod shows."
)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A check that may fail: for resources whose address matches as a whole, in these stacks."""

    check: str
    reason: str
    resources: str = ".*"
    stacks: tuple[str, ...] = ("dev", "prod")

    def covers(self, stack: str, check: str, resource: str) -> bool:
        return (
            check == self.check
            and stack in self.stacks
            and re.fullmatch(self.resources, resource) is not None
        )


def _dev(reason: str, *checks: str) -> tuple[Accepted, ...]:
    return tuple(Accepted(check=check, reason=reason, stacks=("dev",)) for check in checks)


ACCEPTED = (
    Accepted(
        check="CKV2_AWS_5",
        resources=r"aws_security_group\.firewall-worker",
        reason="The launcher gives it to each worker at RunTask; no resource of the program carries it.",
    ),
    Accepted(
        check="CKV2_AWS_28",
        reason="Every route but /health wants an API key and is limited by key; a web application firewall"
        " would cost more than it keeps off. Associate one with the load balancer if you have one.",
    ),
    Accepted(
        check="CKV2_AWS_57",
        reason="The keys are those of model providers and GitHub, which AWS cannot rotate. Tokens of the"
        " worker token key live as long as one attempt; Pulumi replaces it (`pulumi up --replace`).",
    ),
    Accepted(
        check="CKV2_AWS_62", reason="Nothing waits for objects: the worker reports what it has uploaded."
    ),
    Accepted(
        check="CKV_AWS_144",
        reason="Artifacts are copies of what was promoted or shown, and expire; a region's loss is borne.",
    ),
    Accepted(
        check="CKV_AWS_332",
        reason="1.4.0 is the latest platform version; it is named so that a new one is a change of ours.",
    ),
    Accepted(
        check="CKV_AWS_336",
        resources=r"aws_ecs_task_definition\.outpost-(claude|codex|gemini|aider|grok)(-.*)?",
        reason="Agents install and build what their task needs, in a container that lives for one dispatch."
        " The control plane's file system is read-only.",
    ),
    Accepted(
        check="CKV_AWS_378",
        reason="TLS ends at the load balancer; behind it, in private subnets, only it is let in.",
    ),
    Accepted(
        check="CKV_AWS_145",
        resources=r"aws_s3_bucket\.access-logs",
        reason="Elastic Load Balancing writes access logs only to buckets with S3's own key (SSE-S3).",
        stacks=("prod",),
    ),
    *_dev(NO_CERTIFICATE, "CKV_AWS_2", "CKV_AWS_103", "CKV2_AWS_20"),
    *_dev(
        SMALL,
        "CKV2_AWS_11",
        "CKV_AWS_18",
        "CKV_AWS_91",
        "CKV_AWS_119",
        "CKV_AWS_136",
        "CKV_AWS_145",
        "CKV_AWS_149",
        "CKV_AWS_150",
        "CKV_AWS_158",
        "CKV_AWS_184",
        "CKV_AWS_338",
    ),
)
