"""The resource types that the engine knows: one small function each to create, update and delete."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from local.engine.arguments import Arguments
from local.engine.aws import Aws
from local.engine.state import ResourceState
from outpost.errors import OutpostError


@dataclass(frozen=True)
class Created:
    """A resource's physical id, and what AWS decided about it beyond its arguments."""

    id: str
    outputs: dict[str, Any] = field(default_factory=dict)


class Create(Protocol):
    def __call__(self, aws: Aws, args: Arguments, /) -> Created: ...


class Update(Protocol):
    """Change the resource in place; returns its outputs."""

    def __call__(self, aws: Aws, old: ResourceState, args: Arguments, /) -> dict[str, Any]: ...


class Delete(Protocol):
    def __call__(self, aws: Aws, old: ResourceState, /) -> object: ...


class Retag(Protocol):
    """Give the resource these tags and no others."""

    def __call__(self, aws: Aws, old: ResourceState, tags: dict[str, str], /) -> None: ...


@dataclass(kw_only=True)
class Kind:
    """A resource type.

    `replace_on`: arguments whose change means a new resource. Without `update`, any change does.
    `named_by`: the argument that names the resource in AWS: while it stays, the old resource must go before
    the new one can come, as in the real provider.
    """

    token: str
    create: Create
    replace_on: frozenset[str]
    named_by: str
    update: Update | None = None
    delete: Delete | None = None
    retag: Retag | None = None


KINDS: dict[str, Kind] = {}


def creates(
    token: str,
    *,
    replace_on: Iterable[str] = (),
    named_by: str = "",
    put: bool = False,
    retag: Retag | None = None,
) -> Callable[[Create], Create]:
    """Register the function that creates resources of a type.

    `put`: the same call changes them, too. `retag` changes tags only; without it they change by the update.
    """

    def register(function: Create) -> Create:
        kind = Kind(
            token=token, create=function, replace_on=frozenset(replace_on), named_by=named_by, retag=retag
        )
        if put:
            kind.update = lambda aws, _, args: function(aws, args).outputs
        KINDS[token] = kind
        return function

    return register


def updates(token: str) -> Callable[[Update], Update]:
    """Register the function that changes resources of a type in place."""

    def register(function: Update) -> Update:
        KINDS[token].update = function
        return function

    return register


def deletes(token: str) -> Callable[[Delete], Delete]:
    """Register the function that deletes resources of a type. Without one, they go with their owner."""

    def register(function: Delete) -> Delete:
        KINDS[token].delete = function
        return function

    return register


def kind_of(token: str) -> Kind:
    """Raises `OutpostError` (`unknown-resource-type`)."""
    if token not in KINDS:
        raise OutpostError(
            "unknown-resource-type",
            f"the local region cannot create {token}.",
            remedy="Add a function for it to local/engine/resources/.",
        )
    return KINDS[token]
