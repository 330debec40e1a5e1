"""Stack settings: what is read, and what a wrong one says."""

import json

import pytest

from infra.settings import Settings, camel, declared
from outpost.errors import OutpostError


def parse(**values: object) -> Settings:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return Settings.parse(stack="dev", values=texts)


def test_every_setting_has_a_default_that_it_would_accept() -> None:
    for field in declared():
        default = field.default
        text = default if isinstance(default, str) else json.dumps(default)
        assert field.metadata["kind"].parse(text) == default, field.name


def test_values_are_read_as_their_types() -> None:
    settings = parse(
        availabilityZones=["a", "b", "c"], natGateways="per-zone", replicas=3, deletionProtection=True
    )
    assert settings.zones == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert (settings.nat_gateways, settings.replicas, settings.deletion_protection) == ("per-zone", 3, True)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("availabilityZones", ["a"], "a list of 2 to 3 zone letters"),
        ("availabilityZones", ["a", "a"], "a list of 2 to 3 zone letters"),
        ("availabilityZones", "a,b", "a list of 2 to 3 zone letters"),
        ("natGateways", "two", "one or per-zone"),
        ("vpcCidr", "10.0.0.0/20", "a /16 prefix"),
        ("vpcCidr", "10.0.1.0/16", "such as 10.0.0.0/16"),
        ("vpcCidr", "10.0.300.0/16", "such as 10.0.0.0/16"),
        ("privateSubnetPrefix", 28, "19 to 26"),
        ("privateSubnetPrefix", "wide", "19 to 26"),
        ("replicas", 0, "1 to 20"),
        ("logRetentionDays", 8, "7, 14"),
        ("deletionProtection", "yes", "true or false"),
        ("bucketSuffix", "Suffix", "a hyphen and lower-case letters"),
        ("workerEgressPorts", [70000], "each 1 to 65535"),
        ("persistentTenants", ["two words"], "tenant ids"),
        ("imageTag", "a b", "an image tag"),
        ("warmPool", "claude=11", "AGENT=NUMBER"),
        ("warmPool", "copilot=1", "AGENT=NUMBER"),
        ("certificateArn", "arn:aws:acm:us-east-1:123456789012:certificate/0a1b", "together with domainName"),
        ("hostedZoneId", "Z123", "together with domainName"),
        ("replicasMaximum", 0, "1 to 100"),
    ],
)
def test_a_wrong_value_names_its_key_and_what_is_allowed(key: str, value: object, allowed: str) -> None:
    with pytest.raises(OutpostError) as failure:
        parse(**{key: value})
    assert failure.value.code == "invalid-setting"
    assert f"outpost:{key}" in failure.value.message
    assert allowed in failure.value.remedy


def test_a_misspelt_key_is_refused_and_the_right_one_named() -> None:
    with pytest.raises(OutpostError) as failure:
        parse(natGateway="one")
    assert "outpost:natGateway" in failure.value.message
    assert "outpost:natGateways" in failure.value.remedy


def test_keys_are_spelt_as_in_the_stack_files() -> None:
    assert camel("log_retention_days") == "logRetentionDays"
