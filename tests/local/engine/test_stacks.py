"""The real program, whole: what AWS describes is what was declared, nothing drifts, nothing stays behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.engine import Deployment, deploy, destroy
from local.engine.aws import Aws
from local.engine.limits import NOT_ACTED_ON, NOT_DESCRIBED
from local.engine.reconcile import Changes
from local.engine.registry import KINDS
from local.engine.state import ResourceState
from local.testing import LocalRegion
from tests.local.engine.described import compute, data, network, operations
from tests.local.engine.described.inventory import inventory
from tests.local.engine.described.reading import READERS, same

pytestmark = pytest.mark.region
assert [compute, data, network, operations]  # imported because they register readers

WITHOUT_CLOUD = ("pulumi:", "random:")
DOMAIN = "outpost.example.com"
# Every optional part at once: own key, provisioned tables, HTTPS, logs, workspaces, deployment roles.
EVERYTHING: dict[str, object] = {
    "accessLogs": True,
    "alarmEmail": "on-call@example.com",
    "customerManagedKey": True,
    "domainName": DOMAIN,
    "githubRepository": "owner/outpost",
    "persistentTenants": ["acme", "umbrella"],
    "tableCapacity": "provisioned",
}
# Name of the variant -> stack, settings laid over its own, whether it is destroyed again.
VARIANTS: dict[str, tuple[str, dict[str, object], bool]] = {
    "dev": ("dev", {}, True),
    "everything": ("dev", EVERYTHING, True),
    "prod": ("prod", {}, False),  # protected
}


@dataclass
class Life:
    """What became of a stack from its first deployment to its end."""

    first: Deployment
    described: dict[str, dict[str, Any]]  # by URN
    second: Changes
    before: dict[str, int]
    after: dict[str, int]
    destroyed: Changes | None


@pytest.fixture(scope="module", params=VARIANTS)
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Each variant in a region of its own."""
    stack, settings, destroyable = VARIANTS[request.param]
    directory = tmp_path_factory.mktemp(request.param)
    with LocalRegion.start(directory / "region", deploy=False) as region:
        aws = Aws(region.session, region.aws_url)
        path = directory / "stack.json"
        if "domainName" in settings:
            settings = {**settings, **_domain(aws)}

        def up() -> Deployment:
            return deploy(stack, region.session, path, endpoint_url=region.aws_url, settings=settings)

        before = inventory(aws)
        first = up()
        described = {state.urn: READERS[state.type](aws, state) for state in in_cloud(first)}
        second = up().changes
        destroyed = None
        if destroyable:
            destroyed = destroy(stack, region.session, path, endpoint_url=region.aws_url)
        yield Life(first, described, second, before, inventory(aws), destroyed)


def _domain(aws: Aws) -> dict[str, object]:
    """The settings that name what the program does not make: a hosted zone and a certificate."""
    zone = aws.client("route53").create_hosted_zone(Name=DOMAIN, CallerReference="test")["HostedZone"]
    certificate = aws.client("acm").request_certificate(DomainName=DOMAIN)["CertificateArn"]
    return {"hostedZoneId": zone["Id"].rpartition("/")[2], "certificateArn": certificate}


def in_cloud(deployment: Deployment) -> list[ResourceState]:
    resources = (state for state in deployment.resources if state.custom)
    return [state for state in resources if not state.type.startswith(WITHOUT_CLOUD)]


def declared(state: ResourceState) -> dict[str, Any]:
    tags = {"tags": state.tags} if state.tags else {}
    return {key: value for key, value in {**state.inputs, **tags}.items() if value is not None}


def test_aws_describes_what_was_declared(life: Life) -> None:
    different = [
        f"{state.urn}: {key} declared {value!r}, described {life.described[state.urn].get(key)!r}"
        for state in in_cloud(life.first)
        for key, value in declared(state).items()
        if key not in NOT_DESCRIBED.get(state.type, {})
        and not same(value, life.described[state.urn].get(key))
    ]
    assert not different, "\n".join(different)


def test_no_stated_limit_is_out_of_date(life: Life) -> None:
    for state in in_cloud(life.first):
        for key in NOT_DESCRIBED.get(state.type, {}):
            if key in declared(state):
                assert not same(declared(state)[key], life.described[state.urn].get(key)), (state.type, key)


def test_the_stack_has_every_part(life: Life) -> None:
    assert len(in_cloud(life.first)) > 100
    assert {"url", "cluster", "service", "artifactsBucket"} <= life.first.exports.keys()
    assert life.first.changes.created == [
        state.urn for state in life.first.resources if state.custom and not state.type.startswith("pulumi:")
    ]


def test_a_second_deployment_changes_nothing(life: Life) -> None:
    changed = life.second
    assert (changed.created, changed.updated, changed.replaced, changed.deleted) == ([], [], [], [])
    assert len(changed.unchanged) == len(life.first.changes.created)


def test_destroying_leaves_nothing_behind(life: Life) -> None:
    if life.destroyed is None:
        assert life.after != life.before
        return
    kept = [state for state in life.first.resources if state.inputs.get("skipDestroy")]
    assert life.after == {**life.before, "task definitions": len(kept)}
    position = {urn: index for index, urn in enumerate(life.destroyed.deleted)}
    assert position.keys() == {state.urn for state in life.first.resources}
    for state in life.first.resources:
        for dependency in state.dependencies:
            assert position[state.urn] < position[dependency], f"{dependency} goes before {state.urn}"


def test_prod_is_protected(life: Life) -> None:
    protected = {state.type for state in life.first.resources if state.protect}
    assert ("aws:dynamodb/table:Table" in protected) == (life.destroyed is None)


def test_every_type_is_known_and_every_limit_names_one(life: Life) -> None:
    assert {state.type for state in in_cloud(life.first)} <= KINDS.keys()
    assert NOT_DESCRIBED.keys() | NOT_ACTED_ON.keys() <= KINDS.keys()
