"""Deploys and destroys a stack."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from local.engine import resources
from local.engine.aws import Aws
from local.engine.invokes import invoke
from local.engine.monitor import Monitor
from local.engine.program import run_program
from local.engine.project import ROOT, Project
from local.engine.reconcile import Changes, Reconciler, delete_all
from local.engine.state import ResourceState, StackState

_LOG = logging.getLogger("outpost.local.engine")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployed stack: what it exports, its resources in the order of creation, and what was done."""

    exports: dict[str, Any]
    resources: tuple[ResourceState, ...]
    changes: Changes

    def of_type(self, token: str) -> list[ResourceState]:
        """The resources of one type, such as `aws:ecs/taskDefinition:TaskDefinition`."""
        return [resource for resource in self.resources if resource.type == token]


def deploy(
    stack: str,
    session: boto3.Session,
    state_path: Path,
    *,
    endpoint_url: str | None = None,
    root: Path = ROOT,
    settings: dict[str, object] | None = None,
) -> Deployment:
    """Run the project's program and bring AWS to what it declares, from what `state_path` records.

    What was changed behind its back is not looked for, as `pulumi up` without `--refresh` does not.
    `settings` are laid over those of the stack's file. The state is written also when the deployment
    fails. Raises `OutpostError`, naming the resource, or what is wrong with the program.
    """
    resources.load()
    started = time.monotonic()
    project = Project.load(stack, root, settings)
    state = StackState.load(state_path, stack)
    aws = Aws(session, endpoint_url)
    reconciler = Reconciler(aws, state)
    monitor = Monitor(reconciler.apply, lambda token, args: invoke(aws, token, args))
    try:
        run_program(project, monitor)
        state.exports = monitor.exports
        reconciler.finish()
    finally:
        reconciler.record(state)
        state.save(state_path)
    _LOG.info("deployed %s: %d resources in %.1f s", stack, len(state.resources), time.monotonic() - started)
    return Deployment(
        exports=state.exports, resources=tuple(state.resources.values()), changes=reconciler.changes
    )


def destroy(
    stack: str, session: boto3.Session, state_path: Path, *, endpoint_url: str | None = None
) -> Changes:
    """Delete every resource that `state_path` records, last created first. Raises `OutpostError`."""
    resources.load()
    state = StackState.load(state_path, stack)
    try:
        return delete_all(Aws(session, endpoint_url), state)
    finally:
        state.save(state_path)
