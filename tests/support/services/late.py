"""A service of tests' nodes that takes its lock only when the test lets it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from shared.node.config import NodeConfig
from tests.support.services import steady


def main() -> int:
    """Say in the journal that it waits; once it may go on, run until SIGTERM."""
    node = NodeConfig.from_env(os.environ)
    pid = os.getpid()
    steady.note(node, f"late {pid} waits")
    while not (gate(node.root, pid).exists() or gate(node.root).exists()):
        time.sleep(0.01)
    return steady.run("late")


def gate(root: Path, pid: int | None = None) -> Path:
    """Return the file that lets one process go on, or all."""
    return root / f"go-on-{pid or 'all'}"
