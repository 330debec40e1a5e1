"""Runs a test in a process of its own.

A worker ends everything that descends from it; in the test runner's process, that would be the local
regions, and whatever else other tests have started.
"""

import functools
import importlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any


def apart(test: Callable[..., None]) -> Callable[..., None]:
    """Decorate a test that runs a part of the worker. Its arguments must be picklable."""

    @functools.wraps(test)
    def wrapper(*arguments: Any, **named: Any) -> None:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_call, test.__module__, test.__name__, arguments, named).result()

    return wrapper


def _call(module: str, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    getattr(importlib.import_module(module), name).__wrapped__(*arguments, **named)
