"""Brings AWS from the recorded state to the declared one, resource by resource, by Pulumi's rules.

A resource is created, left alone, updated in place, or replaced: the new one first and the old one when
the program has ended, unless its own name is in the way. What is no longer declared is deleted at the end,
last created first.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local.engine.arguments import Arguments
from local.engine.aws import Aws, error_code
from local.engine.errors import resource_failed
from local.engine.registry import Kind, kind_of
from local.engine.state import ResourceState, StackState
from outpost.errors import OutpostError

PROVIDER = "pulumi:providers:"
_GONE = (
    "NotFound",
    "NotFoundException",
    "NotFoundFault",
    "DoesNotExist",
    "NonExistentQueue",
    "NoSuchEntity",
    "NoSuchBucket",
)


@dataclass(kw_only=True)
class Declaration:
    """What the program asks for, with the resource options that matter here."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    custom: bool = True
    parent: str = ""
    provider: str = ""  # URN::ID
    dependencies: Sequence[str] = ()
    aliases: Sequence[str] = ()  # former URNs
    ignore_changes: Sequence[str] = ()
    replace_on_changes: Sequence[str] = ()
    delete_before_replace: bool = False
    protect: bool = False
    retain: bool = False


@dataclass
class Changes:
    """URNs by what was done with them."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


class Reconciler:
    """One deployment. Not thread-safe: the caller lets one declaration in at a time."""

    def __init__(self, aws: Aws, before: StackState) -> None:
        self.aws = aws
        self.changes = Changes()
        self.resources: dict[str, ResourceState] = {}
        self._before = dict(before.resources)
        self._pending = list(before.pending)
        self._default_tags: dict[str, dict[str, str]] = {}

    def apply(self, wanted: Declaration) -> ResourceState:
        """Make the declared resource true; returns it. Raises `OutpostError`."""
        if wanted.urn in self.resources:
            raise OutpostError("duplicate-urn", f"{wanted.urn} is declared twice.")
        try:
            old = self._recorded(wanted)
            state = self._apply(wanted, old)
        except Exception as error:  # whatever it was, the error says which resource; the cause stays attached
            raise resource_failed(wanted.type, wanted.name, error) from error
        if old is not None:
            self._before.pop(old.urn, None)
        self.resources[wanted.urn] = state
        return state

    def finish(self) -> None:
        """Delete what was replaced and what is no longer declared."""
        while self._pending:
            self._delete(self._pending[-1])
            self._pending.pop()
        for old in reversed(list(self._before.values())):
            self._delete(old)
            self.changes.deleted.append(old.urn)
            del self._before[old.urn]

    def record(self, state: StackState) -> None:
        """Write down what exists now, also after a failure: what was not yet reached stands as it was."""
        state.resources = {**self._before, **self.resources}
        state.pending = self._pending

    def _apply(self, wanted: Declaration, old: ResourceState | None) -> ResourceState:
        if not wanted.custom:
            return self._state(wanted, "", {})
        if wanted.type.startswith(PROVIDER):
            default_tags = json.loads(wanted.inputs.get("defaultTags") or "{}").get("tags") or {}
            self._default_tags[wanted.urn] = default_tags
            return self._state(wanted, wanted.name, {})
        kind = kind_of(wanted.type)
        args = Arguments(wanted.inputs, self._default_tags.get(wanted.provider.rpartition("::")[0]))
        if old is None:
            self.changes.created.append(wanted.urn)
            return self._create(kind, wanted, args)
        return self._change(kind, wanted, args, old)

    def _recorded(self, wanted: Declaration) -> ResourceState | None:
        for urn in (wanted.urn, *wanted.aliases):
            if urn in self._before:
                return self._before[urn]
        return None

    def _change(self, kind: Kind, wanted: Declaration, args: Arguments, old: ResourceState) -> ResourceState:
        for key in wanted.ignore_changes:
            wanted.inputs[key] = old.inputs.get(key)
        changed = {
            key
            for key in wanted.inputs.keys() | old.inputs.keys()
            if key not in ("tags", "tagsAll") and wanted.inputs.get(key) != old.inputs.get(key)
        }
        tags = args.merged_tags() if kind.retag or old.tags else {}
        retag = tags != old.tags
        if retag and kind.retag is None:
            changed.add("tags")
        if not changed and not retag:
            self.changes.unchanged.append(wanted.urn)
            return self._state(wanted, old.id, old.outputs, old.tags)
        if changed and (kind.update is None or changed & (kind.replace_on | set(wanted.replace_on_changes))):
            return self._replace(kind, wanted, args, old)
        self.changes.updated.append(wanted.urn)
        outputs = old.outputs
        if changed and kind.update is not None:
            outputs = {**outputs, **kind.update(self.aws, old, args)}
            self._refuse_unread(args)
        if retag and kind.retag is not None:
            kind.retag(self.aws, old, tags)
        return self._state(wanted, old.id, outputs, tags)

    def _replace(self, kind: Kind, wanted: Declaration, args: Arguments, old: ResourceState) -> ResourceState:
        self.changes.replaced.append(wanted.urn)
        same_name = bool(kind.named_by) and wanted.inputs.get(kind.named_by) == old.inputs.get(kind.named_by)
        if wanted.delete_before_replace or same_name:
            self._delete(old)
            del self._before[old.urn]
            return self._create(kind, wanted, args)
        state = self._create(kind, wanted, args)
        self._pending.append(old)
        return state

    def _create(self, kind: Kind, wanted: Declaration, args: Arguments) -> ResourceState:
        created = kind.create(self.aws, args)
        tags = args.merged_tags() if args.tags_read else {}
        state = self._state(wanted, created.id, created.outputs, tags)
        try:
            self._refuse_unread(args)
        except OutpostError:
            if kind.delete:
                kind.delete(self.aws, state)
            raise
        return state

    def _refuse_unread(self, args: Arguments) -> None:
        args.ignore("tags", "tagsAll", "region")
        if unread := args.unread():
            raise OutpostError(
                "unknown-argument",
                f"the local region does not know the argument(s) {', '.join(unread)}.",
                remedy="Teach the function of this type to use them (local/engine/resources/).",
            )

    def _delete(self, old: ResourceState) -> None:
        if old.protect:
            raise OutpostError(
                "protected",
                f"{old.type} {old.name} is protected.",
                remedy="Set protect to false, deploy, and try again.",
            )
        if not old.custom or old.retain or old.type.startswith(PROVIDER):
            return
        delete = kind_of(old.type).delete
        if delete is None:
            return
        try:
            delete(self.aws, old)
        except ClientError as error:
            if not error_code(error).endswith(_GONE):
                raise resource_failed(old.type, old.name, error) from error
        except Exception as error:  # as above
            raise resource_failed(old.type, old.name, error) from error

    @staticmethod
    def _state(
        wanted: Declaration, id_: str, outputs: dict[str, Any], tags: dict[str, str] | None = None
    ) -> ResourceState:
        return ResourceState(
            urn=wanted.urn,
            type=wanted.type,
            name=wanted.name,
            id=id_,
            inputs=wanted.inputs,
            outputs=outputs,
            tags=tags or {},
            parent=wanted.parent,
            dependencies=sorted(wanted.dependencies),
            custom=wanted.custom,
            protect=wanted.protect,
            retain=wanted.retain,
        )


def delete_all(aws: Aws, state: StackState) -> Changes:
    """Delete every resource, last created first. Raises `OutpostError` at the first that cannot go."""
    reconciler = Reconciler(aws, state)
    try:
        reconciler.finish()
    finally:
        reconciler.record(state)
    return reconciler.changes
