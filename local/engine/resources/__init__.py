"""One module per AWS service, one small function per resource type."""

import importlib
import pkgutil


def load() -> None:
    """Import every module here, which registers its resource types."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
