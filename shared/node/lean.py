"""Imports libraries without what they would bring along in case that somebody wants it.

Nobody here does, and all of it together is a quarter of what a node's parent imports.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

#: structlog's colours and httpx' command line, a format of Celery's messages, redis-py's metrics.
_UNWANTED = ("rich", "yaml", "opentelemetry.sdk.metrics")


def import_lean(module: str) -> ModuleType:
    """Import a module whose libraries find nothing of what they can do without.

    Whoever asks for such a thing itself, now or later, gets it.
    """
    with _without(_UNWANTED):
        return importlib.import_module(module)


@contextlib.contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Have an import of these fail, as if they were not installed; but not of those that are."""
    hidden = [name for name in names if name not in sys.modules]
    # That is how Python itself notes that there is no such module.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # Python's own None
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


import_lean("structlog")
