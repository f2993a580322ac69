"""What a side costs that does nothing: memory and CPU, without plugins and with ten."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from tests.bench.run import Group, Row, Run
from tests.bench.side import Side

_COUNT = 10
_IDLE_S = 10.0
_QUICK_IDLE_S = 3.0
#: Timers that a start or an enable has set, to flush a file say, are let run out.
_REST_S = 3.0
_KB_PER_MB = 1000


def _measure(run: Run) -> None:
    ours = [side for side in run.sides if side.is_ours]
    time.sleep(_REST_S)
    for side in ours:
        run.record.add(_memory(0), side, [_pss_mb(side)])
    for side in ours:
        with side.api() as api:
            for number in range(_COUNT):
                name = f"bench/idle-{number}:latest"
                api.create(name, run.contexts.small(name))
                api.enable(name)
    time.sleep(_REST_S)
    for side in ours:
        run.record.add(_memory(_COUNT), side, [_pss_mb(side)])
    _watch_cpu(run, ours)
    for side in ours:
        side.remove_all()


def _watch_cpu(run: Run, sides: list[Side]) -> None:
    """Watch both over the same seconds."""
    began_at = time.monotonic()
    before = [side.cpu_s() for side in sides]
    time.sleep(_QUICK_IDLE_S if run.is_quick else _IDLE_S)
    took_s = time.monotonic() - began_at
    for side, cpu_s in zip(sides, before, strict=True):
        run.record.add(_CPU, side, [100 * (side.cpu_s() - cpu_s) / took_s])


def _pss_mb(side: Side) -> float:
    """Return the memory of all processes, what several share divided among them."""
    return sum(_pss_kb(pid) for pid in side.pids()) * 1.024 / _KB_PER_MB


def _pss_kb(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
        return int(words[words.index("Pss:") + 1])
    return 0


def _memory(count: int) -> str:
    return f"idle memory, {count} plugins"


_CPU = f"idle CPU, {_COUNT} plugins"

GROUP = Group(
    name="idle",
    rows=(
        Row(name=_memory(0), unit="MB"),
        Row(name=_memory(_COUNT), unit="MB"),
        Row(name=_CPU, unit="%"),
    ),
    measure=_measure,
)
