"""A service that does nothing but say in a journal when it starts and stops."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from shared.node.config import NodeConfig
from shared.node.lock import ServiceLock


def run(name: str, *, ends: bool = True) -> int:
    """Hold the service's lock until SIGTERM, which one that never *ends* does not heed."""
    node = NodeConfig.from_env(os.environ)
    signals = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    ServiceLock(node.lock_path(name)).acquire()
    note(node, f"{name} started")
    signal.sigwait(signals)
    if not ends:
        signal.pause()
    note(node, f"{name} stopped")
    return 0


def note(node: NodeConfig, line: str) -> None:
    """Append a line to the node's journal."""
    with journal(node.root).open("a") as file:
        file.write(f"{line}\n")


def journal(root: Path) -> Path:
    """Return where the services of this root write."""
    return root / "journal"
