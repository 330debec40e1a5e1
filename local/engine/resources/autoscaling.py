"""Application Auto Scaling: of services and of tables."""

from local.engine.arguments import Arguments, pascal
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes
from local.engine.state import ResourceState

_TARGET = "aws:appautoscaling/target:Target"
_POLICY = "aws:appautoscaling/policy:Policy"
_SCOPE = ("serviceNamespace", "resourceId", "scalableDimension")
_CONFIGURATIONS = ("targetTrackingScalingPolicyConfiguration", "stepScalingPolicyConfiguration")


@creates(_TARGET, replace_on=_SCOPE, put=True)
def target(aws: Aws, args: Arguments) -> Created:
    role = {"RoleARN": args["roleArn"]} if "roleArn" in args else {}
    made = aws.client("application-autoscaling").register_scalable_target(
        **args.pascal(*_SCOPE, "minCapacity", "maxCapacity"),
        **role,
        **({"Tags": args.tags} if args.tags else {}),
    )
    return Created(args["resourceId"], {"arn": made.get("ScalableTargetARN", "")})


@deletes(_TARGET)
def delete_target(aws: Aws, old: ResourceState) -> None:
    scope = {key[:1].upper() + key[1:]: old.inputs[key] for key in _SCOPE}
    aws.client("application-autoscaling").deregister_scalable_target(**scope)


@creates(_POLICY, replace_on=["name", "policyType", *_SCOPE], put=True)
def policy(aws: Aws, args: Arguments) -> Created:
    configurations = {}
    for key in _CONFIGURATIONS:
        if key in args:
            given = pascal(args[key])
            if "TargetValue" in given:
                given["TargetValue"] = float(given["TargetValue"])
            configurations[key[:1].upper() + key[1:]] = given
    made = aws.client("application-autoscaling").put_scaling_policy(
        PolicyName=args["name"], **args.pascal("policyType", *_SCOPE), **configurations
    )
    alarms = [alarm["AlarmARN"] for alarm in made.get("Alarms", [])]
    return Created(args["name"], {"arn": made["PolicyARN"], "alarmArns": alarms})


@deletes(_POLICY)
def delete_policy(aws: Aws, old: ResourceState) -> None:
    scope = {key[:1].upper() + key[1:]: old.inputs[key] for key in _SCOPE}
    aws.client("application-autoscaling").delete_scaling_policy(PolicyName=old.id, **scope)
