"""daemon.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared import errdefs


def read_daemon_file(path: Path, *, is_named: bool) -> dict[str, Any]:
    """Return what the file says; a file that is not there says nothing, unless it was named.

    Raises InvalidArgument when it can't be read.
    """
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        if not is_named:
            return {}
        raise errdefs.InvalidArgument(f"open {path}: no such file or directory") from error
    except (OSError, UnicodeDecodeError) as error:
        raise errdefs.InvalidArgument(f"open {path}: {error}") from error
    if not text.strip():
        return {}  # as dockerd takes an empty file
    try:
        said = json.loads(text)
    except ValueError as error:
        raise errdefs.InvalidArgument(f"it is no JSON: {error}") from error
    if not isinstance(said, dict):
        raise errdefs.InvalidArgument("it must be a JSON object")
    return said
