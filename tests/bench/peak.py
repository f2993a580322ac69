"""The most memory that processes have held, from a moment on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

_KB_PER_MB = 1000
_RESET_PEAK = "5"


def named(pids: Iterable[int], names: Sequence[str]) -> list[Path]:
    """Return the folders in /proc of those of *pids* that have one of *names*."""
    folders = [Path(f"/proc/{pid}") for pid in pids]
    return [folder for folder in folders if _name(folder) in names]


def reset(processes: Iterable[Path]) -> None:
    """Begin anew."""
    for process in processes:
        (process / "clear_refs").write_text(_RESET_PEAK)


def peak_mb(processes: Iterable[Path]) -> float:
    """Return the sum of what each had resident at most, pages that it shares among them."""
    return sum(_peak_kb(process) for process in processes) * 1.024 / _KB_PER_MB


def _peak_kb(process: Path) -> int:
    words = (process / "status").read_text().split()
    return int(words[words.index("VmHWM:") + 1])


def _name(process: Path) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return (process / "comm").read_text().strip()
    return ""
