"""The identity that a data root keeps for good."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from typing import Final

_FILE: Final = "engine-id"


def read_engine_id(root: Path) -> str:
    """Return the id of the node whose data lie at *root*, made up when there is none yet."""
    path = root / _FILE
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text().strip():
            return kept
    root.mkdir(parents=True, exist_ok=True)
    made = str(uuid.uuid4())
    # Whole or not at all, even when the power fails.
    draft = path.with_name(f".{_FILE}.{os.getpid()}")
    with draft.open("w") as file:
        file.write(made + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return made
