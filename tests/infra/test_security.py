"""No public ingress but the load balancer, nothing unencrypted, no policy that is too wide."""

import json
from typing import Any

from tests.infra.recording import Declared, Program


def documents(program: Program) -> dict[str, dict[str, Any]]:
    """Every IAM and resource policy of the program, by type and name."""
    return {
        f"{found.type} {found.name}": found.document(key)
        for found in program.resources
        for key in ("policy", "assumeRolePolicy")
        if key in found.inputs and "Version" in found.document(key)
    }


def ingress(program: Program) -> list[dict[str, Any]]:
    """The inputs of every rule that lets something in."""
    rules = program.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    return [rule.inputs for rule in rules.values()]


def group(program: Program, name: str) -> str:
    """A security group's id, as other resources see it."""
    return str(program.of("ec2/securityGroup:SecurityGroup")[name].inputs["name"])


def test_only_the_load_balancer_is_open_to_the_world(program: Program) -> None:
    world = {rule["securityGroupId"] for rule in ingress(program) if "cidrIpv4" in rule}
    assert world == {group(program, "firewall-alb")}


def test_workers_accept_no_connection(program: Program) -> None:
    rules = program.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert not [
        name for name, found in rules.items() if found.inputs["securityGroupId"] == "firewall-worker-id"
    ]


def test_the_file_system_accepts_nfs_from_workers_alone(program: Program) -> None:
    file_system = group(program, "firewall-efs")
    (rule,) = [rule for rule in ingress(program) if rule["securityGroupId"] == file_system]
    assert (rule["fromPort"], rule["toPort"]) == (2049, 2049)
    assert rule["referencedSecurityGroupId"] == group(program, "firewall-worker")


def test_no_task_gets_a_public_address(program: Program) -> None:
    (service,) = program.of("ecs/service:Service").values()
    assert service.inputs["networkConfiguration"]["assignPublicIp"] is False
    assert not any(s.inputs["mapPublicIpOnLaunch"] for s in program.of("ec2/subnet:Subnet").values())


def test_what_holds_data_is_encrypted(program: Program) -> None:
    assert all(found.inputs["encrypted"] for found in program.of("efs/fileSystem:FileSystem").values())
    assert all(_queue_encrypted(found) for found in program.of("sqs/queue:Queue").values())
    buckets = program.of("s3/bucket:Bucket")
    kind = "BucketServerSideEncryptionConfiguration"
    assert set(program.of(f"s3/{kind[0].lower()}{kind[1:]}:{kind}")) == set(buckets)


def test_buckets_are_private_versioned_and_tls_only(program: Program) -> None:
    blocks = program.of("s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    policies = program.of("s3/bucketPolicy:BucketPolicy")
    for name in program.of("s3/bucket:Bucket"):
        flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        assert all(blocks[name].inputs[flag] for flag in flags)
        statements = policies[name].document("policy")["Statement"]
        assert any(s["Effect"] == "Deny" and "Bool" in s["Condition"] for s in statements)


def test_a_role_is_assumed_by_this_accounts_services_only(program: Program) -> None:
    for name, found in program.of("iam/role:Role").items():
        for statement in found.document("assumeRolePolicy")["Statement"]:
            assert statement["Condition"], name


def test_no_policy_allows_every_action_or_every_principal(program: Program) -> None:
    for name, document in documents(program).items():
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                assert not any("*" in action for action in statement["Action"]), name
                assert statement.get("Principal") not in ("*", {"AWS": "*"}), name


# What AWS offers no resource level for; each has its reason in the code (Statement.any_resource). In a
# key's policy, "*" is the key.
NO_RESOURCE_LEVEL = {"ecr:GetAuthorizationToken", "ecs:ListTasks", "ecs:DescribeTaskDefinition"}


def test_a_wildcard_resource_stands_only_where_aws_has_no_resource_level(program: Program) -> None:
    for name, document in documents(program).items():
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow" and statement.get("Resource") == "*":
                of_a_key = all(action.startswith("kms:") for action in statement["Action"])
                assert of_a_key or set(statement["Action"]) <= NO_RESOURCE_LEVEL, name


def test_secrets_have_no_value_but_the_generated_one(program: Program) -> None:
    (version,) = program.of("secretsmanager/secretVersion:SecretVersion").values()
    assert version.name == "vault-worker-token-key"


def test_a_tenants_workspace_is_mounted_by_its_own_role_only() -> None:
    program = Program("dev", persistentTenants=["acme", "umbrella"])
    policies = program.of("iam/rolePolicy:RolePolicy")
    for tenant, other in (("acme", "umbrella"), ("umbrella", "acme")):
        text = json.dumps(policies[f"workspaces-{tenant}-workspace"].document("policy"))
        assert f"workspaces-{tenant}" in text
        assert f"workspaces-{other}" not in text
        (definition,) = [
            found
            for name, found in program.of("ecs/taskDefinition:TaskDefinition").items()
            if name == f"outpost-claude-{tenant}"
        ]
        (volume,) = definition.inputs["volumes"]
        mount = volume["efsVolumeConfiguration"]
        assert mount["transitEncryption"] == "ENABLED"
        assert mount["authorizationConfig"] == {"accessPointId": f"workspaces-{tenant}", "iam": "ENABLED"}


def test_the_file_system_lets_nobody_in_without_an_access_point() -> None:
    for tenants, points in (([], None), (["acme"], ["workspaces-acme"])):
        program = Program("dev", persistentTenants=tenants)
        (found,) = program.of("efs/fileSystemPolicy:FileSystemPolicy").values()
        outside = found.document("policy")["Statement"][0]
        assert (outside["Effect"], outside["Principal"]) == ("Deny", {"AWS": "*"})
        allowed = outside.get("Condition", {}).get("StringNotEquals", {})
        named = allowed.get("elasticfilesystem:AccessPointArn")
        assert [arn.rsplit("/", 1)[1] for arn in named] == points if points else named is None


def _queue_encrypted(queue: Declared) -> bool:
    return bool(queue.inputs.get("sqsManagedSseEnabled") or queue.inputs.get("kmsMasterKeyId"))
