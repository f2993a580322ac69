"""Imports libraries without what they would bring along in case that somebody wants it.

Nobody here does, and all of it together is a quarter of what a node's parent imports.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from importlib import metadata
from types import ModuleType
from typing import Any

#: structlog's colours and httpx' command line, a format of Celery's messages, redis-py's metrics.
_UNWANTED = ("rich", "yaml", "opentelemetry.sdk.metrics")
#: Whose plugins nobody has: to find none takes a look at the files of all that is installed.
_WITHOUT_PLUGINS = ("kombu.serializers", "pydantic")


def import_lean(module: str) -> ModuleType:
    """Import a module whose libraries find nothing of what they can do without.

    Whoever asks for such a thing itself, now or later, gets it.
    """
    with _without(_UNWANTED), _without_plugins():
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


@contextlib.contextmanager
def _without_plugins() -> Iterator[None]:
    """Have those that look for plugins of theirs find none."""
    found = metadata.entry_points

    def entry_points(**params: Any) -> Any:
        wanted = params.get("group") not in _WITHOUT_PLUGINS
        return found(**params) if wanted else metadata.EntryPoints(())

    metadata.entry_points = entry_points
    try:
        yield
    finally:
        metadata.entry_points = found


import_lean("structlog")
