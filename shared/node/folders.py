"""The roots of a node, made by whichever of its processes comes first."""

from __future__ import annotations

from pathlib import Path

from shared.node.config import NodeConfig


def make_roots(node: NodeConfig) -> None:
    """Make the roots where they are missing; a folder that exists keeps its mode.

    The exec root may be passed through, not listed: the docker group reaches the socket, whose
    own mode says who may use it, and what else lies there is for root alone by its own mode.
    """
    _make(node.root, 0o700)
    _make(node.exec_root, 0o711)


def _make(folder: Path, mode: int) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return
    folder.chmod(mode)  # whatever the umask says
