"""The gateway's guard: every request is signed by a known caller whose policies allow what it needs.

Not imitated: permission boundaries, session policies and service control policies; key policies of KMS and
policies of secrets (their callers' identity policies decide); `aws:SecureTransport` is true although the
region speaks HTTP, because everything stays on this machine. There is no identity provider: roles are not
assumed by web identity or SAML.
"""

from local.aws.call import Call
from local.aws.errors import AwsError
from local.aws.moto_app import ACCOUNT, REGION, backend
from local.ecs.store import TaskStore
from local.iam import data_needs as _data_needs  # noqa: F401 - registers its finders
from local.iam import named_needs as _named_needs  # noqa: F401 - registers its finders
from local.iam.needs import FINDERS, Need, needs
from local.iam.principals import Policies, Principal, Principals
from local.iam.signature import Expired, NotVersion4, body_matches, verified
from local.iam.task_needs import EcsNeeds
from local.iam.trust import check_trust, refuse_federation
from outpost.policy import Decision, Request, Verdict, evaluate, parse
from outpost.policy_conditions import Context

_OPEN = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}


class IamGuard:
    """Refuses a call by raising `AwsError` with the code, status and words of the service it was for."""

    def __init__(self, store: TaskStore) -> None:
        self._principals = Principals()
        FINDERS["ecs"] = EcsNeeds(store)

    def __call__(self, call: Call) -> None:
        if not call.access_key:
            self._admit_unsigned(call)
            return
        refuse_federation(call)
        with call.lock:
            principal = self._principals.find(call.access_key)
            if principal is None or (principal.session_token != call.session_token):
                raise _unknown(call)
            policies = principal.policies()
            wanted = [] if (call.service, call.operation) in _OPEN else list(needs(call))
            resource_policies = _resource_policies(call)
        _check_signature(call, principal)
        context = _context(call, principal)
        for need in wanted:
            _decide(call, principal, need, policies, resource_policies, context)
        check_trust(call, principal, context)

    def _admit_unsigned(self, call: Call) -> None:
        """S3 decides about anonymous requests by the bucket's policy; no one else answers them."""
        refuse_federation(call)
        if call.service == "s3" and call.operation:
            with call.lock:
                wanted, policies = list(needs(call)), _resource_policies(call)
            anonymous = frozenset({"*"})
            if wanted and all(
                evaluate(
                    policies, Request(action=need.action, resource=need.resource, principals=anonymous)
                ).allowed
                for need in wanted
            ):
                return
            raise AwsError("AccessDenied", "Access Denied", status=403)
        raise AwsError("MissingAuthenticationToken", "Missing Authentication Token", status=403)


def _check_signature(call: Call, principal: Principal) -> None:
    try:
        genuine = verified(call, principal.secret_key)
    except Expired:
        raise _expired(call) from None
    except NotVersion4:
        raise AwsError(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ) from None
    if not genuine:
        code = "SignatureDoesNotMatch" if call.protocol != "json" else "InvalidSignatureException"
        raise AwsError(
            code,
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
            status=403,
        )
    if not body_matches(call):
        raise AwsError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )


def _expired(call: Call) -> AwsError:
    if call.service == "s3":
        return AwsError("AccessDenied", "Request has expired", status=403)
    return AwsError("RequestExpired", "Request has expired.", status=400)


def _unknown(call: Call) -> AwsError:
    if call.service == "s3":
        return AwsError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            status=403,
        )
    if call.protocol == "ec2":
        return AwsError(
            "AuthFailure", "AWS was not able to validate the provided access credentials", status=401
        )
    code = "UnrecognizedClientException" if call.protocol == "json" else "InvalidClientTokenId"
    return AwsError(code, "The security token included in the request is invalid.", status=403)


def _context(call: Call, principal: Principal) -> Context:
    context: dict[str, str] = {
        "aws:principalarn": min(principal.names - {principal.arn}, default=principal.arn),
        "aws:principalaccount": ACCOUNT,
        "aws:requestedregion": call.region or REGION,
        "aws:securetransport": "true",
    }
    if principal.user_name:
        context["aws:username"] = principal.user_name
    return context


def _resource_policies(call: Call) -> Policies:
    """The policy of the bucket or queue that the call is on."""
    document: str | bytes | None = None
    if call.service == "s3" and (bucket := call.parameters.get("Bucket")):
        known = backend("s3").buckets.get(bucket)
        document = known.policy if known is not None else None
    elif call.service == "sqs" and (url := call.parameters.get("QueueUrl")):
        queue = backend("sqs").queues.get(str(url).rsplit("/", 1)[-1])
        document = queue.policy if queue is not None else None
    if not document:
        return []
    return [parse(document.decode() if isinstance(document, bytes) else document, "resource-based policy")]


def _decide(
    call: Call,
    principal: Principal,
    need: Need,
    policies: Policies,
    resource_policies: Policies,
    context: Context,
) -> None:
    decision = evaluate(
        [*policies, *resource_policies],
        Request(
            action=need.action,
            resource=need.resource,
            context={**context, **need.context},
            principals=principal.names,
            account=ACCOUNT,
        ),
    )
    if not decision.allowed:
        raise _refusal(call, principal, need, decision)


def _refusal(call: Call, principal: Principal, need: Need, decision: Decision) -> AwsError:
    """AWS's words for a refusal ("Troubleshoot access denied error messages")."""
    kind = "identity-based policy"
    if decision.statement is not None and decision.statement.principals is not None:
        kind = "resource-based policy"
    reason = (
        f"with an explicit deny in a{'n' if kind[0] == 'i' else ''} {kind}"
        if decision.verdict is Verdict.EXPLICIT_DENY
        else f"because no identity-based policy allows the {need.action} action"
    )
    message = (
        f"User: {principal.arn} is not authorized to perform: {need.action} on resource: "
        f"{need.resource if call.service != 's3' else chr(34) + need.resource + chr(34)} {reason}"
    )
    if call.protocol == "ec2":
        return AwsError(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. {message}",
            status=403,
        )
    if call.protocol in {"query", "rest-xml"} or call.service == "sqs":
        return AwsError("AccessDenied", message, status=403)
    return AwsError("AccessDeniedException", message, status=400)
