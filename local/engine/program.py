"""Runs a Pulumi program to its end, by itself in a thread, so that nothing of it stays behind."""

import asyncio
import contextvars
import logging
import runpy
import threading

from pulumi.runtime import set_all_config
from pulumi.runtime.mocks import MockEngine, MockSettings
from pulumi.runtime.settings import SETTINGS, configure
from pulumi.runtime.stack import run_in_stack

from local.engine.errors import program_failed
from local.engine.monitor import Monitor
from local.engine.project import Project
from outpost.errors import OutpostError

_LOG = logging.getLogger("outpost.local.engine")


def run_program(project: Project, monitor: Monitor, *, preview: bool = False, timeout: float = 300.0) -> None:
    """Run the program against the monitor. Raises `OutpostError`, the first that occurred.

    `timeout` in seconds: a program that waits for an output which never comes would hang for ever.
    Pulumi keeps its settings in context variables, so each run gets a context of its own.
    """
    failure: list[BaseException] = []

    def run() -> None:
        try:
            _run(project, monitor, preview)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            failure.append(error)

    thread = threading.Thread(
        target=lambda: contextvars.Context().run(run), name="pulumi-program", daemon=True
    )
    thread.start()
    thread.join(timeout)
    if monitor.error is not None:
        raise program_failed(monitor.error) from monitor.error
    if failure:
        raise program_failed(failure[0]) from failure[0]
    if thread.is_alive():
        raise OutpostError("program-hangs", f"the Pulumi program did not end within {timeout:g} s.")


def _run(project: Project, monitor: Monitor, preview: bool) -> None:
    settings = MockSettings(  # type: ignore[no-untyped-call]
        monitor=monitor,
        monitor_features=set(),
        engine=MockEngine(_LOG),
        project=project.name,
        stack=project.stack,
        dry_run=preview,
        organization="organization",
        root_directory=str(project.main.parent),
        callbacks=None,
        # Without these, runs would share Pulumi's defaults.
        outputs=set(),
        lock=threading.Lock(),
    )
    configure(settings)
    set_all_config(project.config, [])
    loop = asyncio.new_event_loop()
    # After an error, every output that waits for the failed resource would tell of it again.
    loop.set_exception_handler(lambda _, context: _LOG.debug("%s", context.get("message")))
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run_in_stack(lambda: _load(project)))
    finally:
        for waiting in asyncio.all_tasks(loop):
            waiting.cancel()
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _load(project: Project) -> None:
    """Run the program's text, then wait for its outputs, all at once or until the first fails.

    Pulumi waits for them as well, but for any one of them at a time: with a thousand outputs, that costs
    more than all the rest of the engine.
    """
    runpy.run_path(str(project.main), run_name="__main__")
    failed = False
    while not failed and (pending := [task for task in SETTINGS.outputs if not task.done()]):
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        failed = any(task.cancelled() or task.exception() for task in done)
