"""Programs that must be installed."""

from __future__ import annotations

import shutil

from shared import errdefs


def find_program(name: str, variable: str) -> str:
    """Return the absolute path of a program; raises Unavailable saying what to install."""
    path = shutil.which(name)
    if path is None:
        raise errdefs.Unavailable(
            f"program {name} was not found on PATH; install it, or name it in {variable}"
        )
    return path
