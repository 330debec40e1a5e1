"""Faults that keep the control plane from starting."""

from outpost.exit_codes import WorkerExit
from tests.runbooks.faults.stack import Fault, Stack, changed, with_variables

_SEGFAULT = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
# More than the task's 2048 MB, less than the next size: what a larger task would have room for.
_HUNGRY = (
    "kept = bytearray(2100 * 2**20); kept[::4096] = b'x' * len(kept[::4096]);"
    "import runpy; runpy.run_module('service', run_name='__main__')"
)


def application_error(stack: Stack) -> None:
    """A setting that the program refuses."""
    definition = stack.definition()
    stack.deploy_unguarded(
        changed(definition, environment=with_variables(definition, TENANT_MAX_ACTIVE="many"))
    )
    stack.stopped_with(WorkerExit.FAILED)


def out_of_memory(stack: Stack) -> None:
    stack.deploy_unguarded(changed(stack.definition(), command=["python", "-c", _HUNGRY]))
    stack.stopped_with(WorkerExit.OUT_OF_MEMORY)


def segmentation_fault(stack: Stack) -> None:
    stack.deploy_unguarded(changed(stack.definition(), command=["python", "-c", _SEGFAULT]))
    stack.stopped_with(WorkerExit.SEGMENTATION_FAULT)


def terminated(stack: Stack) -> None:
    stack.undo.callback(stack.steady)
    stack.undo.callback(stack.update_service, desiredCount=1)
    stack.update_service(desiredCount=0)
    stack.stopped()


FAULTS = (
    Fault("control-plane-not-starting/application-error", application_error, mended=True),
    Fault("control-plane-not-starting/out-of-memory", out_of_memory, mended=True),
    Fault("control-plane-not-starting/segmentation-fault", segmentation_fault, mended=True),
    Fault("control-plane-not-starting/terminated", terminated, mended=True),
)
