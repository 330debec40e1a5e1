"""A rendering is the program's own declaration, and fails when the program does."""

import pytest

from infra.rendering import Declared, render
from outpost.errors import OutpostError


def test_settings_change_what_is_declared() -> None:
    declared = Declared.of_stack("dev", {"outpost:natGateways": "per-zone"})
    assert len(declared.of("aws:ec2/natGateway:NatGateway")) == 2


def test_references_are_resolved() -> None:
    declared = Declared.of_stack("dev")
    (service,) = declared.of("aws:ecs/service:Service")
    assert declared.at(service.inputs["taskDefinition"]).inputs["family"] == "outpost-control-plane"


def test_an_unknown_stack_is_named() -> None:
    with pytest.raises(OutpostError, match=r"no Pulumi\.nowhere\.yaml"):
        render("nowhere")


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(OutpostError, match="natGateways"):
        render("dev", {"outpost:natGateways": "none"})


def test_what_repositories_need_is_found_without_the_rest() -> None:
    urns = Declared.of_stack("dev").needed_by({"aws:ecr/repository:Repository"})
    types = {urn.split("::")[2].split("$")[-1] for urn in urns}
    assert types == {
        "aws:ecr/repository:Repository",
        "outpost:images:Registry",
        "pulumi:providers:aws",
        "pulumi:pulumi:Stack",
    }
    assert (
        "urn:pulumi:dev::outpost::outpost:images:Registry$aws:ecr/repository:Repository::outpost-claude"
        in urns
    )
