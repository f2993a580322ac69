"""What a node takes at a moment: memory, descriptors, entries of streams, room on the disk."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from shared.bus import names
from tests.support.node import Node

_BLOCK_BYTES: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is taken, each by the name of who or what takes it, after so many operations."""

    operations: int
    #: By process: its own memory, and its share of what it has in common with others.
    memory_bytes: Mapping[str, int]
    #: By process.
    descriptors: Mapping[str, int]
    #: Entries, by kind of stream.
    entries: Mapping[str, int]
    #: By folder of the data root.
    disk_bytes: Mapping[str, int]


def read(node: Node, operations: int) -> Reading:
    """Look at a node."""
    pids = node.pids()
    return Reading(
        operations=operations,
        memory_bytes={name: _memory_bytes(pid) for name, pid in pids.items()},
        descriptors={name: _descriptors(pid) for name, pid in pids.items()},
        entries=_entries(node.exec_root / "redis.sock"),
        disk_bytes={
            folder.name: _disk_bytes(folder) for folder in node.root.iterdir() if folder.is_dir()
        },
    )


def _memory_bytes(pid: int) -> int:
    words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(words[words.index("Pss:") + 1]) * 1024


def _descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _entries(socket: Path) -> Mapping[str, int]:
    found = Counter[str]()
    with contextlib.closing(redis.Redis(unix_socket_path=str(socket))) as client:
        for key in client.scan_iter(match="wherry:*", _type="STREAM"):
            found[names.template(key.decode())] += client.xlen(key)
    return found


def _disk_bytes(folder: Path) -> int:
    total = 0
    for top, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(Path(top) / name).st_blocks * _BLOCK_BYTES
    return total
