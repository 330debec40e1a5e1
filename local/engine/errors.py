"""How the engine's failures are told: always with the resource, or with the program, that caused them."""

from outpost.errors import OutpostError


def resource_failed(type_: str, name: str, cause: Exception) -> OutpostError:
    """The error of one resource; keeps the remedy of an `OutpostError`."""
    if isinstance(cause, OutpostError):
        return OutpostError(cause.code, f"{type_} {name}: {cause.message}", remedy=cause.remedy)
    return OutpostError("resource-failed", f"{type_} {name}: {_say(cause)}")


def program_failed(cause: BaseException) -> OutpostError:
    """The error of the Pulumi program itself."""
    if isinstance(cause, OutpostError):
        return cause
    return OutpostError("program-failed", f"the Pulumi program failed: {_say(cause)}")


def _say(cause: BaseException) -> str:
    return f"{type(cause).__name__}: {cause}"
