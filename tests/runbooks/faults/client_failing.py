"""Faults of programs that call the API."""

from tests.runbooks.faults.callers import logged, provision
from tests.runbooks.faults.stack import Fault, Stack


def connection_timeout(stack: Stack) -> None:
    """The firewall before the API lets nobody in."""
    ec2, name = stack.client("ec2"), stack.names.load_balancer_security_group
    filters = [{"Name": "group-name", "Values": [name]}]
    group = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]
    rules = {"GroupId": group["GroupId"], "IpPermissions": group["IpPermissions"]}
    ec2.revoke_security_group_ingress(**rules)
    stack.undo.callback(ec2.authorize_security_group_ingress, **rules)


def authentication_error(stack: Stack) -> None:
    del stack.environment["OUTPOST_API_KEY"]


def rate_limited(stack: Stack) -> None:
    """A client asks again and again, whatever Retry-After says."""
    key = provision(stack, "hasty", ("status",), requestsPerMinute={"N": "1"})
    answers = [stack.get("/fleet", X_API_Key=key)[0] for _ in range(30)]
    assert 429 in answers, answers
    logged(stack, "rate-limited", answers.count(429))


FAULTS = (
    Fault("client-failing/connection-timeout", connection_timeout),
    Fault("client-failing/authentication-error", authentication_error),
    Fault("client-failing/rate-limited", rate_limited),
)
