"""Every AWS CLI and curl command of the operations guide, as it stands there.

Only placeholders (`TENANT`, `TASK_ARN`, `YOUR_KEY`, ...) and the load balancer's host are replaced; the AWS
CLI is the real one, with `--profile soc`. The guide's two `aws logs tail` commands need AWS CLI v2, which
PyPI does not have; they are not run.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.testing import LocalRegion
from tests.guide.conftest import Guide

pytestmark = pytest.mark.region

HEALTH = """
curl -s http://outpost-control-plane-dev-140603164.us-east-1.elb.amazonaws.com/health | jq .
"""
FLEET = """
curl -s http://outpost-control-plane-dev-140603164.us-east-1.elb.amazonaws.com/fleet \\
  -H "X-API-Key: YOUR_KEY" | jq .
"""
SERVICE_STATUS = """
aws ecs describe-services \\
  --cluster outpost-dev \\
  --services outpost-control-plane \\
  --profile soc \\
  --query 'services[0].{status:status,running:runningCount,desired:desiredCount}'
"""
TASK_STATUS = """
aws ecs describe-tasks \\
  --cluster outpost-dev \\
  --tasks $(aws ecs list-tasks --cluster outpost-dev --service-name outpost-control-plane --profile soc --query 'taskArns[0]' --output text) \\
  --profile soc
"""  # noqa: E501 - as the guide has it
STOPPED_REASON = """
aws ecs describe-tasks \\
  --cluster outpost-dev \\
  --tasks TASK_ARN \\
  --profile soc \\
  --query 'tasks[0].{status:lastStatus,reason:stoppedReason,exitCode:containers[0].exitCode}'
"""
LATENCY = """
aws cloudwatch get-metric-statistics \\
  --namespace AWS/DynamoDB \\
  --metric-name SuccessfulRequestLatency \\
  --dimensions Name=TableName,Value=outpost-jobs-dev Name=Operation,Value=Query \\
  --start-time $(date -u -d '1 hour ago' +%Y-%m-%dT%H:%M:%SZ) \\
  --end-time $(date -u +%Y-%m-%dT%H:%M:%SZ) \\
  --period 300 \\
  --statistics Average \\
  --profile soc
"""
SERVICE_EVENTS = """
aws ecs describe-services \\
  --cluster outpost-dev \\
  --services outpost-control-plane \\
  --profile soc \\
  --query 'services[0].events[:5]'
"""
QUOTA = """
aws service-quotas get-service-quota \\
  --service-code fargate \\
  --quota-code L-3032A538 \\
  --profile soc
"""
TASK_LOGS = """
TASK_ID="01HXYZ..."
aws logs filter-log-events \\
  --log-group-name /ecs/outpost-claude \\
  --filter-pattern "\\"$TASK_ID\\"" \\
  --profile soc
"""
DURATION = """
aws dynamodb get-item \\
  --table-name outpost-jobs-dev \\
  --key '{"tenantId":{"S":"TENANT"},"dispatchId":{"S":"DISPATCH_ID"}}' \\
  --profile soc \\
  --query 'Item.{started:startedAt.S,timeout:timeoutSeconds.N}'
"""
OUTPUT = """
aws s3 cp s3://outpost-artifacts-dev/DISPATCH_ID/output.log - | tail -100
"""
KEY_BY_PREFIX = """
KEY_PREFIX="otp_abcd..."  # First 15 chars
aws dynamodb scan \\
  --table-name outpost-api-keys-dev \\
  --filter-expression "begins_with(keyPrefix, :prefix)" \\
  --expression-attribute-values '{":prefix":{"S":"'"${KEY_PREFIX:0:15}"'"}}' \\
  --profile soc
"""
KEY_SCOPES = """
aws dynamodb get-item \\
  --table-name outpost-api-keys-dev \\
  --key '{"apiKeyId":{"S":"KEY_ID"}}' \\
  --profile soc \\
  --query 'Item.scopes'
"""
THROTTLING = """
aws cloudwatch get-metric-statistics \\
  --namespace AWS/DynamoDB \\
  --metric-name ThrottledRequests \\
  --dimensions Name=TableName,Value=outpost-jobs-dev \\
  --start-time $(date -u -d '1 hour ago' +%Y-%m-%dT%H:%M:%SZ) \\
  --end-time $(date -u +%Y-%m-%dT%H:%M:%SZ) \\
  --period 60 \\
  --statistics Sum \\
  --profile soc
"""
BUCKET_POLICY = """
aws s3api get-bucket-policy --bucket outpost-artifacts-dev --profile soc
"""
ROLE_POLICY = """
aws iam get-role-policy \\
  --role-name outpost-ecs-task-role \\
  --policy-name s3-access \\
  --profile soc
"""
MOUNT_TARGETS = """
aws efs describe-mount-targets \\
  --file-system-id fs-XXXXXX \\
  --profile soc
"""
NFS_RULES = """
aws ec2 describe-security-groups \\
  --group-ids sg-XXXXXX \\
  --profile soc \\
  --query 'SecurityGroups[0].IpPermissions'
"""
WARM_UP = """
curl -X POST .../dispatch \\
  -H "X-API-Key: ..." \\
  -d '{"agent":"aider","task":"echo hello","timeoutSeconds":30}'
"""
MEMORY = """
aws cloudwatch get-metric-statistics \\
  --namespace AWS/ECS \\
  --metric-name MemoryUtilization \\
  --dimensions Name=ClusterName,Value=outpost-dev Name=ServiceName,Value=outpost-control-plane \\
  --start-time $(date -u -d '1 hour ago' +%Y-%m-%dT%H:%M:%SZ) \\
  --end-time $(date -u +%Y-%m-%dT%H:%M:%SZ) \\
  --period 300 \\
  --statistics Maximum \\
  --profile soc
"""
LIST_TASKS = "aws ecs list-tasks --cluster outpost-dev --profile soc"
DESCRIBE_TASK = "aws ecs describe-tasks --cluster outpost-dev --tasks TASK_ARN --profile soc"
REDEPLOY = """
aws ecs update-service --cluster outpost-dev --service outpost-control-plane --force-new-deployment --profile soc
"""  # noqa: E501 - as the guide has it
FAILED_JOBS = """
aws dynamodb scan \\
  --table-name outpost-jobs-dev \\
  --filter-expression "#s = :status" \\
  --expression-attribute-names '{"#s":"status"}' \\
  --expression-attribute-values '{":status":{"S":"FAILED"}}' \\
  --limit 10 \\
  --profile soc
"""
ONE_JOB = """
aws dynamodb get-item \\
  --table-name outpost-jobs-dev \\
  --key '{"tenantId":{"S":"TENANT"},"dispatchId":{"S":"ID"}}' \\
  --profile soc
"""
ERRORS = """
aws logs filter-log-events \\
  --log-group-name /ecs/outpost-control-plane \\
  --filter-pattern "ERROR" \\
  --start-time $(date -u -d '1 hour ago' +%s)000 \\
  --profile soc
"""
METRIC_DATA = """
aws cloudwatch get-metric-data \\
  --metric-data-queries file://metrics-query.json \\
  --start-time $(date -u -d '1 hour ago' +%Y-%m-%dT%H:%M:%SZ) \\
  --end-time $(date -u +%Y-%m-%dT%H:%M:%SZ) \\
  --profile soc
"""


def test_health_is_healthy(guide: Guide) -> None:
    health = guide.json(HEALTH)

    assert health["status"] == "healthy"
    assert health["version"] == "2.0.0"
    assert health["uptime"] >= 0


def test_every_agent_of_the_fleet_is_available(guide: Guide) -> None:
    agents = guide.json(FLEET, YOUR_KEY=guide.region.api_key)["agents"]

    assert {each["agent"]: each["available"] for each in agents} == dict.fromkeys(
        ("claude", "codex", "gemini", "aider", "grok"), True
    )


def test_the_service_runs_what_it_should(guide: Guide) -> None:
    assert guide.json(SERVICE_STATUS) == {"status": "ACTIVE", "running": 1, "desired": 1}


def test_the_control_planes_task_is_described(guide: Guide) -> None:
    (task,) = guide.json(TASK_STATUS)["tasks"]

    assert task["lastStatus"] == "RUNNING"
    assert task["memory"] == "2048"
    assert task["group"] == "service:outpost-control-plane"


def test_a_stopped_tasks_reason_and_exit_code(guide: Guide) -> None:
    shown = guide.json(STOPPED_REASON, TASK_ARN=guide.failed["taskArn"])

    assert shown == {"status": "STOPPED", "reason": "Essential container in task exited", "exitCode": 1}


def test_dynamodb_latency_has_data(guide: Guide) -> None:
    guide.region.client("dynamodb").query(
        TableName="outpost-jobs-dev",
        KeyConditionExpression="tenantId = :t",
        ExpressionAttributeValues={":t": {"S": guide.tenant}},
    )

    shown = guide.json(LATENCY)

    assert shown["Label"] == "SuccessfulRequestLatency"
    assert 0 < shown["Datapoints"][0]["Average"] < 10_000
    assert shown["Datapoints"][0]["Unit"] == "Milliseconds"


def test_the_services_events_tell_its_story(guide: Guide) -> None:
    messages = [event["message"] for event in guide.json(SERVICE_EVENTS)]

    assert "(service outpost-control-plane) has reached a steady state." in messages


def test_the_fargate_quota(guide: Guide) -> None:
    quota = guide.json(QUOTA)["Quota"]

    assert quota["QuotaCode"] == "L-3032A538"
    assert quota["QuotaName"] == "Fargate On-Demand vCPU resource count"
    assert quota["Value"] > 0


def test_a_dispatchs_log_lines_are_found_by_its_id(guide: Guide) -> None:
    events = guide.json(TASK_LOGS, **{"01HXYZ...": guide.completed["dispatchId"]})["events"]

    assert events
    assert all(guide.completed["dispatchId"] in event["message"] for event in events)


def test_when_a_dispatch_started_and_how_long_it_may_take(guide: Guide) -> None:
    shown = guide.json(DURATION, TENANT=guide.tenant, DISPATCH_ID=guide.completed["dispatchId"])

    assert shown == {"started": guide.completed["startedAt"], "timeout": "600"}


def test_the_output_of_a_dispatch_is_in_the_bucket(guide: Guide) -> None:
    assert "rehearsal" in guide.run(OUTPUT, DISPATCH_ID=guide.completed["dispatchId"])


def test_a_key_is_found_by_its_prefix_and_shows_its_scopes(guide: Guide) -> None:
    found = guide.json(KEY_BY_PREFIX, **{"otp_abcd...": guide.region.api_key})
    (key,) = found["Items"]
    assert key["status"]["S"] == "active"
    assert "keyHash" in key

    assert "admin" in json.dumps(guide.json(KEY_SCOPES, KEY_ID=key["apiKeyId"]["S"]))


def test_throttled_requests_are_counted(guide: Guide, fresh_region: LocalRegion) -> None:
    # In a region of its own: a throttle stays in the metrics, where later diagnoses would find it.
    guide = replace(guide, region=fresh_region)
    guide.region.fault(
        "api", kind="throttle", service="dynamodb", operation="Query", callers="operator", times=1
    )
    client = guide.region.client("dynamodb")
    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
        client.query(
            TableName="outpost-jobs-dev",
            KeyConditionExpression="tenantId = :t",
            ExpressionAttributeValues={":t": {"S": guide.tenant}},
        )

    assert sum(point["Sum"] for point in guide.json(THROTTLING)["Datapoints"]) >= 1


def test_the_buckets_policy_refuses_plain_http(guide: Guide) -> None:
    policy = json.loads(guide.json(BUCKET_POLICY)["Policy"])

    assert any("aws:SecureTransport" in json.dumps(statement) for statement in policy["Statement"])


def test_the_task_roles_policy_lets_it_put_artifacts(guide: Guide) -> None:
    shown = guide.json(ROLE_POLICY)

    assert "s3:PutObject" in json.dumps(shown["PolicyDocument"])
    assert "outpost-artifacts-dev" in json.dumps(shown["PolicyDocument"])


def test_the_file_system_has_a_mount_target_in_each_zone(guide: Guide) -> None:
    targets = guide.json(MOUNT_TARGETS, **{"fs-XXXXXX": guide.file_system})["MountTargets"]

    assert {target["LifeCycleState"] for target in targets} == {"available"}
    assert len({target["AvailabilityZoneName"] for target in targets}) == 2


def test_nfs_is_open_to_a_group_and_to_no_address(guide: Guide) -> None:
    rules = guide.json(NFS_RULES, **{"sg-XXXXXX": guide.file_system_group})

    assert [(rule["FromPort"], rule["ToPort"]) for rule in rules] == [(2049, 2049)]
    assert rules[0]["UserIdGroupPairs"]
    assert not rules[0]["IpRanges"]


def test_a_dummy_dispatch_is_accepted(guide: Guide) -> None:
    # The guide writes `...` for the address as well as for the key; curl sends the body as a form here.
    script = WARM_UP.replace(".../dispatch", f"{guide.region.api_url}/dispatch")

    answer = guide.json(
        script.replace("curl", "curl -s"), **{"X-API-Key: ...": f"X-API-Key: {guide.region.api_key}"}
    )

    assert answer["status"] == "PENDING"
    assert answer["agent"] == "aider"


def test_the_control_planes_memory_has_data(guide: Guide) -> None:
    guide.region.wait_for(lambda: guide.json(MEMORY)["Datapoints"], what="a value of MemoryUtilization")

    point = guide.json(MEMORY)["Datapoints"][0]
    assert 0 < point["Maximum"] < 100
    assert point["Unit"] == "Percent"


def test_tasks_are_listed_and_one_is_described(guide: Guide) -> None:
    arns = guide.json(LIST_TASKS)["taskArns"]

    shown = guide.json(DESCRIBE_TASK, TASK_ARN=arns[0])
    assert shown["tasks"][0]["taskArn"] == arns[0]
    assert shown["failures"] == []


def test_a_scan_finds_the_jobs_that_failed(guide: Guide) -> None:
    jobs = guide.json(FAILED_JOBS)["Items"]

    assert guide.failed["dispatchId"] in {job["dispatchId"]["S"] for job in jobs}
    assert {job["status"]["S"] for job in jobs} == {"FAILED"}


def test_one_dispatch_is_read(guide: Guide) -> None:
    # The guide's placeholder ID is a part of the attribute's name, so it is replaced with its quotes.
    job = guide.json(ONE_JOB, TENANT=guide.tenant, **{'"ID"': f'"{guide.completed["dispatchId"]}"'})["Item"]

    assert job["status"]["S"] == "COMPLETED"
    assert job["exitCode"]["N"] == "0"


def test_the_control_planes_log_is_searched(guide: Guide) -> None:
    assert "events" in guide.json(ERRORS)


def test_metrics_are_read_by_a_query_file(guide: Guide) -> None:
    metric = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount",
        "Dimensions": [{"Name": "LoadBalancer", "Value": _load_balancer(guide)}],
    }
    query = [{"Id": "requests", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}]
    (guide.directory / "metrics-query.json").write_text(json.dumps(query))
    # What is asked for ends now, and CloudWatch counts by whole minutes.
    later = (datetime.now(UTC) + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ")

    shown = guide.json(METRIC_DATA, **{"$(date -u +%Y-%m-%dT%H:%M:%SZ)": later})

    (result,) = shown["MetricDataResults"]
    assert sum(result["Values"]) > 0


def test_a_forced_deployment_replaces_the_control_plane(guide: Guide) -> None:
    before = guide.json(LIST_TASKS)["taskArns"]
    shown = guide.json(REDEPLOY)["service"]
    assert [each["status"] for each in shown["deployments"]] == ["PRIMARY", "ACTIVE"]

    def replaced() -> bool:
        service = guide.region.client("ecs").describe_services(
            cluster="outpost-dev", services=["outpost-control-plane"]
        )["services"][0]
        return [each["rolloutState"] for each in service["deployments"]] == ["COMPLETED"]

    guide.region.wait_for(replaced, timeout=60, what="the new deployment")
    assert not set(before) & set(guide.json(LIST_TASKS)["taskArns"])
    assert guide.json(HEALTH)["status"] == "healthy"


def _load_balancer(guide: Guide) -> str:
    balancers = guide.region.client("elbv2").describe_load_balancers(Names=["outpost-control-plane-dev"])
    return str(balancers["LoadBalancers"][0]["LoadBalancerArn"].split("loadbalancer/")[1])
