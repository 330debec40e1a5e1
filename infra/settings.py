"""The settings of a stack: `Pulumi.STACK.yaml`, parsed and checked once, frozen from then on.

Each setting is declared once, with its key, its meaning and its allowed values; the table in
docs/settings.md is generated from these declarations.
"""

import dataclasses
import difflib
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from infra.setting_types import (
    Choice,
    Flag,
    Kind,
    Number,
    Numbers,
    Text,
    Texts,
    setting,
)
from outpost import VERSION
from outpost.agents import Agent
from outpost.api_keys import TENANT_FORM
from outpost.errors import OutpostError
from outpost.names import REGION

NAMESPACE = "outpost"
_WARM = rf"({'|'.join(Agent)})=([1-9]|10)"

# What CloudWatch Logs takes for a log group's retention, in days (PutRetentionPolicy).
RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 3653)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What differs between stacks. Build it with `Settings.parse`."""

    stack: str
    region: str = REGION

    availability_zones: tuple[str, ...] = setting(
        Texts(r"[a-f]", "zone letters of the region", minimum=2, maximum=3),
        ("a", "b"),
        "Availability zones of the subnets; production wants three.",
    )
    vpc_cidr: str = setting(
        Text(r"[\d.]+/16", "an IPv4 network with a /16 prefix"),
        "10.0.0.0/16",
        "Address range of the VPC.",
    )
    private_subnet_prefix: int = setting(
        Number(19, 26),
        24,
        "Prefix length of a private subnet; a /24 has 251 addresses, and each running agent takes one.",
    )
    nat_gateways: str = setting(
        Choice("one", "per-zone"),
        "one",
        "One NAT gateway for all zones (cheap), or one in each (a zone's loss stops only that zone).",
    )
    interface_endpoints: bool = setting(
        Flag(),
        False,
        "Reach AWS's APIs by private endpoints in each zone rather than by NAT.",
    )
    flow_logs: bool = setting(
        Flag(),
        False,
        "Keep a record of the VPC's connections in CloudWatch Logs.",
    )
    worker_egress_ports: tuple[int, ...] = setting(
        Numbers(1, 65535),
        (443,),
        "TCP ports that agents may reach on the internet.",
    )
    domain_name: str = setting(
        Text(r"([a-z0-9-]+\.)+[a-z]{2,}|", "a domain name, or empty"),
        "",
        "Name that clients call the API by; needs `certificateArn`.",
    )
    certificate_arn: str = setting(
        Text(r"arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+|", "an ACM certificate's ARN, or empty"),
        "",
        "Certificate of `domainName`; with it the API is HTTPS only and HTTP redirects.",
    )
    hosted_zone_id: str = setting(
        Text(r"[A-Z0-9]{1,32}|", "a Route 53 hosted zone id, or empty"),
        "",
        "Public zone in which `domainName` is made to point at the load balancer; empty: do it elsewhere.",
    )
    access_logs: bool = setting(
        Flag(),
        False,
        "Keep the access logs of the load balancer and of the artifacts bucket in a bucket of their own.",
    )
    architecture: str = setting(
        Choice("X86_64", "ARM64"),
        "X86_64",
        "CPU architecture of the images and the tasks.",
    )
    image_architectures: tuple[str, ...] = setting(
        Texts(r"X86_64|ARM64", "architectures", maximum=2),
        (),
        "CPU architectures that images are built for; empty for that of the tasks only.",
    )
    image_tag: str = setting(
        Text(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", "an image tag"),
        VERSION,
        "Tag of the images to run; `./inv deploy` sets it to the commit.",
    )
    replicas: int = setting(
        Number(1, 20),
        1,
        "Tasks of the control plane at rest.",
    )
    replicas_maximum: int = setting(
        Number(1, 100),
        4,
        "Tasks of the control plane that auto-scaling may start.",
    )
    tenant_maximum_active: int = setting(
        Number(1, 1_000_000),
        1000,
        "Dispatches that a tenant may have unfinished; more are answered 429. A key may have its own limit.",
    )
    tenant_maximum_per_day: int = setting(
        Number(1, 100_000_000),
        100_000,
        "Dispatches that a tenant may start in a day.",
    )
    key_requests_per_minute: int = setting(
        Number(1, 1_000_000),
        1200,
        "Requests that one API key may make in a minute.",
    )
    warm_pool: str = setting(
        Text(rf"({_WARM}(,{_WARM})*)?", "AGENT=NUMBER of 1 to 10, such as claude=2,aider=1, or empty"),
        "",
        "Idle workers to keep for each agent, so that a dispatch starts at once; they cost while they wait.",
    )
    log_level: str = setting(
        Choice("debug", "info", "warning", "error"),
        "info",
        "Log level of the control plane.",
    )
    log_retention_days: int = setting(
        Number(1, 3653, among=RETENTION_DAYS),
        30,
        "How long CloudWatch keeps logs.",
    )
    table_capacity: str = setting(
        Choice("on-demand", "provisioned"),
        "on-demand",
        "Pay for each request, or for provisioned capacity with auto-scaling (cheaper under steady load).",
    )
    table_capacity_minimum: int = setting(
        Number(1, 10_000),
        5,
        "Read and write units per second that a provisioned table, or index, never goes below.",
    )
    table_capacity_maximum: int = setting(
        Number(1, 40_000),
        1000,
        "Read and write units per second that auto-scaling may go up to (AWS's default quota is 40,000).",
    )
    persistent_tenants: tuple[str, ...] = setting(
        Texts(TENANT_FORM.pattern, "tenant ids", maximum=100),
        (),
        "Tenants that may keep a workspace between dispatches; each gets an EFS access point, a role "
        "and task definitions of its own.",
    )
    bucket_suffix: str = setting(
        Text(r"(-[a-z0-9-]{0,30}[a-z0-9])?", "empty, or a hyphen and lower-case letters, digits, hyphens"),
        "",
        "Appended to bucket names, which are global to AWS.",
    )
    customer_managed_key: bool = setting(
        Flag(),
        False,
        "Encrypt data with a KMS key of the stack's own rather than with keys that AWS manages.",
    )
    alarm_email: str = setting(
        Text(r"[^@\s]+@[^@\s]+\.[^@\s]+|", "an e-mail address, or empty"),
        "",
        "Who is told of alarms; AWS asks the address to confirm.",
    )
    github_repository: str = setting(
        Text(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+|", "owner/name, or empty"),
        "",
        "Repository whose workflows may deploy this stack without long-lived keys.",
    )
    deletion_protection: bool = setting(
        Flag(),
        False,
        "Refuse to delete what holds data, and the load balancer.",
    )

    @property
    def zones(self) -> list[str]:
        """The availability zones' full names, such as us-east-1a."""
        return [self.region + letter for letter in self.availability_zones]

    def __post_init__(self) -> None:
        """Raise `OutpostError` (`invalid-setting`) for settings that do not go together."""
        try:
            ipaddress.IPv4Network(self.vpc_cidr)
        except ValueError as error:
            raise _invalid("vpcCidr", self.vpc_cidr, "an IPv4 network, such as 10.0.0.0/16") from error
        if self.replicas_maximum < self.replicas:
            raise _invalid(
                "replicasMaximum", str(self.replicas_maximum), f"at least replicas, {self.replicas}"
            )
        if self.table_capacity_maximum < self.table_capacity_minimum:
            least = f"at least tableCapacityMinimum, {self.table_capacity_minimum}"
            raise _invalid("tableCapacityMaximum", str(self.table_capacity_maximum), least)
        if bool(self.certificate_arn) != bool(self.domain_name):
            raise _invalid("certificateArn", self.certificate_arn, "set together with domainName, or neither")
        if self.hosted_zone_id and not self.domain_name:
            raise _invalid("hostedZoneId", self.hosted_zone_id, "set together with domainName")

    @classmethod
    def of_stack(cls) -> "Settings":
        """The settings of the stack that Pulumi is running. Raises as `parse` does."""
        prefix = f"{NAMESPACE}:"
        configured = {**get_config_env(), **CONFIG.get()}
        values = {
            key.removeprefix(prefix): value if isinstance(value, str) else json.dumps(value)
            for key, value in configured.items()
            if key.startswith(prefix)
        }
        region = pulumi.Config("aws").get("region") or REGION
        return cls.parse(stack=pulumi.get_stack(), values=values, region=region)

    @classmethod
    def parse(cls, *, stack: str, values: Mapping[str, str], region: str = REGION) -> "Settings":
        """Settings from the stack's configuration: keys without their namespace, values as Pulumi gives them.

        Lists are JSON text. Raises `OutpostError` (`invalid-setting`) naming the key and what it may be.
        """
        definitions = {camel(field.name): field for field in declared()}
        for key in values:
            if key not in definitions:
                near = difflib.get_close_matches(key, definitions, n=1)
                hint = f"Did you mean {NAMESPACE}:{near[0]}?" if near else "See docs/settings.md."
                raise OutpostError(
                    "invalid-setting", f"{NAMESPACE}:{key} is not a setting of this program.", remedy=hint
                )
        parsed: dict[str, Any] = {}
        for key, text in values.items():
            kind: Kind[Any] = definitions[key].metadata["kind"]
            try:
                parsed[definitions[key].name] = kind.parse(text)
            except ValueError as error:
                raise _invalid(key, text, kind.allowed) from error
        return cls(stack=stack, region=region, **parsed)


def declared() -> tuple["dataclasses.Field[Any]", ...]:
    """The fields of `Settings` that a stack file may set, in order."""
    return tuple(field for field in dataclasses.fields(Settings) if "kind" in field.metadata)


def camel(name: str) -> str:
    """The key in the stack file of a field's name."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _invalid(key: str, value: str, allowed: str) -> OutpostError:
    return OutpostError(
        "invalid-setting",
        f"{NAMESPACE}:{key} is {value!r}.",
        remedy=f"Allowed: {allowed}. Correct it in the stack's file, Pulumi.STACK.yaml.",
    )
