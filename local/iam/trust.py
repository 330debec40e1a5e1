"""Who may assume a role: its trust policy decides, besides the caller's own policies."""

import json

from local.aws.call import Call
from local.aws.errors import AwsError
from local.aws.moto_app import ACCOUNT, backend
from local.iam.principals import Principal
from outpost.policy import Request, evaluate, parse
from outpost.policy_conditions import Context


def refuse_federation(call: Call) -> None:
    """Nobody is known by a token of an identity provider, because the region has none to ask."""
    if call.service == "sts" and call.operation.startswith("AssumeRoleWith"):
        raise AwsError("AccessDenied", f"Not authorized to perform sts:{call.operation}", status=403)


def check_trust(call: Call, principal: Principal, context: Context) -> None:
    """Refuse AssumeRole of a role that does not trust the caller, or that is not there, as STS does."""
    if (call.service, call.operation) != ("sts", "AssumeRole"):
        return
    arn = str(call.parameters.get("RoleArn", ""))
    with call.lock:
        role = next((role for role in backend("iam").roles.values() if role.arn == arn), None)
        document = role.assume_role_policy_document if role is not None else None
    # A trust policy may name the whole account; then the caller's own policies have decided already.
    names = principal.names | {f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT}
    asked = {**context, "sts:rolesessionname": str(call.parameters.get("RoleSessionName", ""))}
    if external := call.parameters.get("ExternalId"):
        asked["sts:externalid"] = str(external)
    request = Request(action="sts:AssumeRole", resource=arn, context=asked, principals=names, account=ACCOUNT)
    text = document if isinstance(document, str) or document is None else json.dumps(document)
    if text is None or not evaluate([parse(text, "trust policy")], request).allowed:
        raise AwsError(
            "AccessDenied",
            f"User: {principal.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            status=403,
        )
