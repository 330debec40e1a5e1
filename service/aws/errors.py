"""AWS errors, told apart by code and never by words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from service.domain.ports import Failing, UnavailableError

# The codes of DynamoDB, SQS, ECS, S3, CloudWatch Logs and Secrets Manager. What is not here is the
# service's own passing trouble (InternalServerError, ServiceUnavailable, time-outs, no connection).
_CODES: dict[Failing, tuple[str, ...]] = {
    Failing.THROTTLED: (
        *("ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled", "TooManyRequests"),
        *("ProvisionedThroughputExceededException", "RequestLimitExceeded", "TooManyRequestsException"),
        *("SlowDown", "LimitExceededException", "OverLimit"),
        # Why a transaction was cancelled.
        *("ThrottlingError", "ProvisionedThroughputExceeded"),
    ),
    Failing.DENIED: (
        *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"),
        *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException"),
        *("SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException"),
    ),
    Failing.MISSING: (
        *("ResourceNotFoundException", "TableNotFoundException", "NoSuchBucket", "ClusterNotFoundException"),
        *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "ServiceNotFoundException"),
    ),
    Failing.INVALID: (
        *("ValidationException", "ValidationError", "SerializationException", "InvalidParameterException"),
        *("InvalidParameterValue", "InvalidParameterValueException", "InvalidParameterCombination"),
        *("InvalidRequestException", "MissingParameter", "MalformedQueryString", "InvalidAction"),
        *("UnknownOperationException", "InvalidArgument", "InvalidMessageContents", "ReceiptHandleIsInvalid"),
    ),
}
_KINDS = {code: kind for kind, codes in _CODES.items() for code in codes}


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def message_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def extra(error: ClientError, name: str) -> Any:
    """A modelled member of the error's answer (`CancellationReasons`, `Item`, `resourceIds`)."""
    return error.response.get(name)


def failing(code: str) -> Failing:
    """What an error's code says about who mends it."""
    return _KINDS.get(code, Failing.UNANSWERED)


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Whatever was not handled by code inside becomes `UnavailableError`, told apart by its code."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        raise UnavailableError(service, code, message_of(error), failing(code)) from error
    except ParamValidationError as error:
        raise UnavailableError(service, "ParamValidation", str(error), Failing.INVALID) from error
    except BotoCoreError as error:
        raise UnavailableError(service, type(error).__name__, str(error)) from error
