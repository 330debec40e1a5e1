"""What holds of every stack: the guide's names and sizes, and the same program in every run."""

import json
from typing import Any

import pytest
from pulumi.output import Unknown

from outpost.agents import AGENTS
from outpost.names import family
from tests.infra.recording import Program, stack

GUIDE_MEMORY = {
    "outpost-control-plane": "2048",
    "outpost-claude": "8192",
    "outpost-codex": "4096",
    "outpost-gemini": "4096",
    "outpost-aider": "2048",
    "outpost-grok": "2048",
}


def test_task_definitions_have_the_memory_that_the_guide_recommends(program: Program) -> None:
    definitions = program.of("ecs/taskDefinition:TaskDefinition")
    assert {name: found.inputs["memory"] for name, found in definitions.items()} == GUIDE_MEMORY


def test_the_guides_names_are_used(dev: Program) -> None:
    names = {
        found.inputs[key]
        for found in dev.resources
        for key in ("name", "bucket", "family")
        if isinstance(found.inputs.get(key), str)
    }
    assert names >= {
        "outpost-dev",
        "outpost-control-plane",
        "outpost-control-plane-dev",
        "outpost-jobs-dev",
        "outpost-api-keys-dev",
        "outpost-audit-dev",
        "outpost-workspaces-dev",
        "outpost-artifacts-dev",
        "outpost-ecs-task-role",
        "s3-access",
        "/ecs/outpost-control-plane",
        "/ecs/outpost-claude",
        "outpost/agents/anthropic",
        "outpost/agents/openai",
        "outpost/agents/google",
        "outpost/agents/deepseek",
        "outpost/agents/xai",
        "outpost/github",
    }


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_preview_declares_what_an_update_declares(name: str) -> None:
    """Unknown ids and ARNs change no resource, and no input other than those that carry them."""
    preview, update = stack(name, preview=True), stack(name)
    assert sorted((r.type, r.name) for r in preview.resources) == sorted(
        (r.type, r.name) for r in update.resources
    )
    known = {(r.type, r.name): r.inputs for r in update.resources}
    for resource in preview.resources:
        assert _known(resource.inputs) == _like(known[resource.type, resource.name], resource.inputs), (
            resource.name
        )


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_second_run_changes_nothing(name: str) -> None:
    first, second = Program(name), Program(name)
    assert {(r.type, r.name): r.inputs for r in first.resources} == {
        (r.type, r.name): r.inputs for r in second.resources
    }


def test_every_resource_comes_from_the_one_provider(program: Program) -> None:
    """It carries the region and the tags; a resource of the default provider would have neither."""
    strays = [
        resource.name
        for resource in program.resources
        if resource.type.startswith("aws:") and not resource.provider.endswith("::aws")
    ]
    assert strays == []


def test_each_agent_gets_its_own_secret_and_no_other(program: Program) -> None:
    definitions = program.of("ecs/taskDefinition:TaskDefinition")
    for agent, spec in AGENTS.items():
        (container,) = json.loads(definitions[family(agent)].inputs["containerDefinitions"])
        (secret,) = container["secrets"]
        assert secret["name"] == spec.key_variable
        assert secret["valueFrom"].endswith(f"/outpost/agents/{spec.provider}")


def test_agents_have_no_aws_permissions(program: Program) -> None:
    definitions = program.of("ecs/taskDefinition:TaskDefinition")
    assert [name for name, found in definitions.items() if found.inputs.get("taskRoleArn")] == [
        "outpost-control-plane"
    ]


def _known(value: Any) -> Any:
    """A value without the parts of it that a preview does not know."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items() if not isinstance(item, Unknown)}
    if isinstance(value, list):
        return [_known(item) for item in value if not isinstance(item, Unknown)]
    return value


def _like(value: Any, pattern: Any) -> Any:
    """A known value without the parts that the pattern does not know."""
    if isinstance(value, dict):
        return {
            key: _like(item, pattern.get(key))
            for key, item in value.items()
            if not isinstance(pattern.get(key), Unknown)
        }
    if isinstance(value, list) and isinstance(pattern, list):
        return [
            _like(item, other)
            for item, other in zip(value, pattern, strict=True)
            if not isinstance(other, Unknown)
        ]
    return value
