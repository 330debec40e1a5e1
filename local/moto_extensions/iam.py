"""IAM: AWS's own managed policies can be attached.

moto holds all of them or none; here each comes when it is asked for, and ListPolicies names those in use.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

_OPERATIONS = ("attach_role_policy", "attach_user_policy", "attach_group_policy", "get_policy")
_AWS = "arn:aws:iam::aws:policy/"


def _bring(backend: IAMBackend, policy_arn: str) -> None:
    name = policy_arn.rpartition("/")[2]
    data = json.loads(aws_managed_policies_data).get(name)
    if data is None:
        return
    policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
    if policy.arn == policy_arn:
        backend.managed_policies[policy_arn] = policy


def _with_aws_policies(operation: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(operation)
    def call(self: IAMBackend, policy_arn: str, *args: Any, **kwargs: Any) -> Any:
        if policy_arn.startswith(_AWS) and policy_arn not in self.managed_policies:
            _bring(self, policy_arn)
        return operation(self, policy_arn, *args, **kwargs)

    return call


def install() -> None:
    for name in _OPERATIONS:
        operation = getattr(IAMBackend, name)
        if not hasattr(operation, "__wrapped__"):
            setattr(IAMBackend, name, _with_aws_policies(operation))
