"""The engine's side of Pulumi's protocol: what a running program registers goes to the reconciler."""

import json
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_project, get_stack
from pulumi.runtime.sync_await import _ensure_event_loop, _sync_await

from local.engine.arguments import whole
from local.engine.reconcile import Declaration
from local.engine.state import ResourceState
from outpost.errors import OutpostError

STACK_TYPE = "pulumi:pulumi:Stack"
T = TypeVar("T")


class StoppedError(Exception):
    """What a program sees after the first error; the error itself is in `Monitor.error`."""


class Monitor(MockMonitor):
    """Answers a program's registrations one at a time, and none after the first error."""

    def __init__(
        self,
        apply: Callable[[Declaration], ResourceState],
        invoke: Callable[[str, dict[str, Any]], dict[str, Any]],
    ) -> None:
        super().__init__(_NoMocks())
        self.exports: dict[str, Any] = {}
        self.error: Exception | None = None
        self._apply = apply
        self._invoke = invoke
        self._lock = threading.Lock()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the Pulumi engine does: the types of all parents but the stack's, outermost first."""
        parent_type = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if parent_type == STACK_TYPE else f"{parent_type}${type_}"
        return f"urn:pulumi:{get_stack()}::{get_project()}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=self.make_urn("", request.type, request.name))
        _ensure_event_loop()  # type: ignore[no-untyped-call]
        inputs = _plain(rpc.deserialize_properties(request.object))
        declaration = Declaration(
            urn=self.make_urn(request.parent, request.type, request.name),
            type=request.type,
            name=request.name,
            inputs=inputs,
            custom=request.custom,
            parent=request.parent,
            provider=request.provider,
            dependencies=list(request.dependencies),
            aliases=[*request.aliasURNs, *(self._alias(request, alias) for alias in request.aliases)],
            ignore_changes=list(request.ignoreChanges),
            replace_on_changes=list(request.replaceOnChanges),
            delete_before_replace=request.deleteBeforeReplace,
            protect=request.protect,
            retain=request.retainOnDelete,
        )
        state = self._guarded(lambda: self._apply(declaration))
        answer = {**state.inputs, **state.outputs}
        if state.tags:
            answer["tagsAll"] = state.tags
        return resource_pb2.RegisterResourceResponse(urn=state.urn, id=state.id, object=_struct(answer))

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        if request.urn.split("::")[2] == STACK_TYPE:
            self.exports = _plain(rpc.deserialize_properties(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        error = OutpostError("unknown-read", f"the local region cannot read an existing {request.type}.")
        return self._guarded(lambda: _raise(error))

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        _ensure_event_loop()  # type: ignore[no-untyped-call]
        args = _plain(rpc.deserialize_properties(request.args))
        answer = self._guarded(lambda: self._invoke(request.tok, args))
        return resource_pb2.ResourceInvokeResponse(**{"return": _struct(answer)})

    def _alias(self, request: Any, alias: Any) -> str:
        """The former URN that an alias stands for."""
        if alias.urn:
            return str(alias.urn)
        spec = alias.spec
        parent = "" if spec.noParent else spec.parentUrn or request.parent
        return self.make_urn(parent, spec.type or request.type, spec.name or request.name)

    def _guarded(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self.error is not None:
                raise StoppedError
            try:
                return work()
            except Exception as error:  # kept: the program sees only that its call failed
                self.error = error
                raise


class _NoMocks(Mocks):
    """The base class wants mocks; every call that would reach them is answered above."""

    def call(self, args: MockCallArgs) -> Any:
        raise NotImplementedError(args.token)

    def new_resource(self, args: MockResourceArgs) -> Any:
        raise NotImplementedError(args.typ)


def _raise(error: Exception) -> Any:
    raise error


def _struct(values: dict[str, Any]) -> Any:
    return _sync_await(rpc.serialize_properties(values, {}))


def _plain(value: Any) -> Any:
    """Secrets unwrapped, whole numbers as such: what can be compared and written as JSON."""
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    json.dumps(value)  # an asset, say, is refused here, where the resource is known
    return whole(value)
