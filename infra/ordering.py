"""What has to exist before a value is of use to others.

Pulumi orders resources by the values that flow between them. `depends_on` of a component is not passed on to
its children, so an order that no value shows is put into the value here.
"""

from typing import Any, TypeVar, cast

from pulumi import CustomResource, Output

T = TypeVar("T")


def once(value: Output[T], *exist: CustomResource) -> Output[T]:
    """The value, known once these resources exist; they are deleted only after what was given it."""
    waiting: Output[list[Any]] = Output.all(value, *(resource.id for resource in exist))
    return waiting.apply(lambda parts: cast(T, parts[0]))
