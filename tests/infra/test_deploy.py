"""A deployment in order, on an empty account and on a running stack, with docker and pulumi stood in for."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
import yaml
from moto import mock_aws

from infra import deploy, deploy_linked_roles, images_source
from infra.deploy_state import KEY_ALIAS
from infra.images import TARGETS
from infra.operations import health
from infra.operations.health import UnhealthyError
from infra.operations.rollout import RolloutError
from outpost.errors import OutpostError
from tests.infra.stand_ins import StandIns

TAG = "0123456789ab"
BUCKET = "outpost-pulumi-123456789012-us-east-1"


class _Health(BaseHTTPRequestHandler):
    answer: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        body = json.dumps(self.answer).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    """A control plane that answers GET /health as this version."""
    _Health.answer = {"status": "healthy", "version": TAG}
    server = HTTPServer(("127.0.0.1", 0), _Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with a running service, as it is once Pulumi has made it."""
    for name in ("AWS_PROFILE", "PULUMI_BACKEND_URL", "OUTPOST_STACK", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        ecs: Any = boto3.client("ecs", "us-east-1")
        ecs.create_cluster(clusterName="outpost-dev")
        ecs.register_task_definition(
            family="outpost-control-plane",
            containerDefinitions=[{"name": "control-plane", "image": f"x:{TAG}", "memory": 128}],
        )
        ecs.create_service(
            cluster="outpost-dev",
            serviceName="outpost-control-plane",
            taskDefinition="outpost-control-plane",
            desiredCount=0,
        )
        yield


@pytest.fixture
def stand_ins(account: None, api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    monkeypatch.setattr(images_source, "tag", lambda root, dirty=False: TAG)
    outputs = {"url": api, "cluster": "outpost-dev"}
    monkeypatch.setenv("PULUMI_OUTPUTS", json.dumps(outputs))
    return StandIns(tmp_path, monkeypatch)


def run(said: list[str] | None = None, *, preview_only: bool = False, yes: bool = True) -> Any:
    say = [].append if said is None else said.append
    return deploy.run("dev", say, preview_only=preview_only, yes=yes, dirty=False)


def make_repositories() -> None:
    ecr: Any = boto3.client("ecr", "us-east-1")
    for repository in TARGETS.values():
        ecr.create_repository(repositoryName=repository)


def test_an_empty_account_gets_repositories_then_images_then_the_rest(stand_ins: StandIns) -> None:
    outputs = run()

    updates = [call for call in stand_ins.calls("pulumi") if call.arguments[0] == "up"]
    first, last = updates
    targets = [
        value for flag, value in zip(first.arguments, first.arguments[1:], strict=False) if flag == "--target"
    ]
    assert sum("aws:ecr/repository:Repository" in target for target in targets) == 6
    assert any("pulumi:providers:aws" in target for target in targets)
    assert not any("ecs" in target for target in targets)
    assert "--target" not in last.arguments
    pushed = [call.value("--tag") for call in stand_ins.calls("docker") if "--push" in call.arguments]
    assert [tag.rpartition("/")[2] for tag in pushed] == [f"{name}:{TAG}" for name in TARGETS.values()]
    assert outputs["cluster"] == "outpost-dev"


def test_images_are_pushed_between_the_two_updates(stand_ins: StandIns) -> None:
    run()
    log = [
        call["program"]
        for call in map(json.loads, stand_ins.log.read_text().splitlines())
        if "up" in call["arguments"][:1] or "--push" in call["arguments"]
    ]
    assert log == ["pulumi", *["docker"] * 6, "pulumi"]


def test_the_state_is_kept_in_a_private_bucket_of_the_account(stand_ins: StandIns) -> None:
    run()
    s3: Any = boto3.client("s3", "us-east-1")
    kms: Any = boto3.client("kms", "us-east-1")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    key = kms.describe_key(KeyId=KEY_ALIAS)["KeyMetadata"]["KeyId"]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    init = next(call for call in stand_ins.calls("pulumi") if call.arguments[:2] == ["stack", "init"])
    assert init.details["backend"] == f"s3://{BUCKET}?region=us-east-1"
    assert init.value("--secrets-provider") == f"awskms://{KEY_ALIAS}?region=us-east-1"


def test_a_new_account_gets_the_roles_that_services_want_to_find(stand_ins: StandIns) -> None:
    run()
    paths = {role["Path"] for role in boto3.client("iam", "us-east-1").list_roles()["Roles"]}
    assert {f"/aws-service-role/{service}/" for service in deploy_linked_roles.SERVICES} <= paths
    run()  # they have been taken, and that is no failure


def test_a_backend_of_ones_own_is_used_and_nothing_is_made(
    stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://api.pulumi.com")
    run()
    assert {call.details["backend"] for call in stand_ins.calls("pulumi")} == {"https://api.pulumi.com"}
    assert boto3.client("s3", "us-east-1").list_buckets()["Buckets"] == []


def test_the_image_tag_goes_with_the_update_and_not_into_the_stack_file(stand_ins: StandIns) -> None:
    before = Path("Pulumi.dev.yaml").read_text()
    run()
    update = [call for call in stand_ins.calls("pulumi") if call.arguments[0] == "up"][-1]
    config = yaml.safe_load(update.details["config"])["config"]
    assert config["outpost:imageTag"] == TAG
    assert config["outpost:natGateways"] == "one"
    assert Path("Pulumi.dev.yaml").read_text() == before


def test_a_second_deployment_of_a_commit_builds_nothing(stand_ins: StandIns) -> None:
    make_repositories()
    ecr: Any = boto3.client("ecr", "us-east-1")
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}'
    for repository in TARGETS.values():
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=TAG)
    run()
    assert stand_ins.calls("docker") == []
    assert [call.arguments[0] for call in stand_ins.calls("pulumi")].count("up") == 1


def test_a_preview_prints_the_calls_and_changes_nothing(stand_ins: StandIns) -> None:
    said: list[str] = []
    before = Path("Pulumi.dev.yaml").read_text()
    changes = run(said, preview_only=True)
    assert changes == {"create": 7}
    assert said[0] == "deploy: account 123456789012, region us-east-1, stack dev"
    assert f"  will call: s3:CreateBucket {BUCKET} (private, versioned)" in said
    assert any("docker buildx build" in line and "outpost-claude" in line for line in said)
    assert stand_ins.calls("docker") == []
    assert not any(call.arguments[0] == "up" for call in stand_ins.calls("pulumi"))
    assert boto3.client("s3", "us-east-1").list_buckets()["Buckets"] == []
    assert Path("Pulumi.dev.yaml").read_text() == before


def test_nobody_to_ask_means_no(stand_ins: StandIns) -> None:
    with pytest.raises(OutpostError) as caught:
        run(yes=False)
    assert caught.value.code == "needs-yes"
    assert not any(call.arguments[0] == "up" for call in stand_ins.calls("pulumi"))


def test_a_failed_update_is_told_in_pulumis_words(
    stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repositories()
    monkeypatch.setenv("PULUMI_FAILS", "up --yes")
    with pytest.raises(OutpostError, match="stand-in: the update failed") as caught:
        run()
    assert caught.value.code == "pulumi-failed"


def test_another_version_is_not_a_success(stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TIMEOUT", 0.0)
    _Health.answer = {"status": "healthy", "version": "an older one"}
    with pytest.raises(UnhealthyError, match="an older one"):
        run()


def test_what_ecs_rolled_back_at_once_is_a_failed_roll_out(
    stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service is back on the older definition by the time that it is looked at."""
    monkeypatch.setattr(images_source, "tag", lambda root, dirty=False: "fedcba987654")
    with pytest.raises(RolloutError, match="rolled it back already"):
        run()


def test_without_pulumi_the_error_says_so(
    account: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutpostError) as caught:
        run()
    assert caught.value.code == "pulumi-missing"


def test_a_region_that_is_not_the_stacks_is_refused(
    stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(OutpostError, match="AWS_REGION=us-east-1"):
        run()


def test_without_credentials_the_error_names_the_profile(
    stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(OutpostError, match="nobody") as caught:
        run()
    assert caught.value.code == "no-credentials"
