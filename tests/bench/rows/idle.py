"""What a side costs that does nothing: memory and CPU, without plugins and with some."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from tests.bench import peak
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side

_COUNT = 10
#: So many that what each has beside its own process stands out.
_MANY = 40
#: The program of the plugin that all are made of.
_PLUGIN = "quota-volume"
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
    _enable(run, ours, range(_COUNT))
    time.sleep(_REST_S)
    for side in ours:
        run.record.add(_memory(_COUNT), side, [_pss_mb(side)])
    _watch_cpu(run, ours)
    _watch_growth(run, ours)
    for side in ours:
        side.remove_all()


def _enable(run: Run, sides: list[Side], numbers: range) -> None:
    for side in sides:
        with side.api() as api:
            for number in numbers:
                name = f"bench/idle-{number}:latest"
                api.create(name, run.contexts.small(name))
                api.enable(name)


def _watch_growth(run: Run, sides: list[Side]) -> None:
    """Look at what more plugins take, their own processes left out."""
    before = [_pss_mb(side, without=_PLUGIN) for side in sides]
    _enable(run, sides, range(_COUNT, _MANY))
    time.sleep(_REST_S)
    for side, had_mb in zip(sides, before, strict=True):
        grown_mb = _pss_mb(side, without=_PLUGIN) - had_mb
        run.record.add(_EACH, side, [grown_mb / (_MANY - _COUNT)])


def _watch_cpu(run: Run, sides: list[Side]) -> None:
    """Watch both over the same seconds."""
    began_at = time.monotonic()
    before = [side.cpu_s() for side in sides]
    time.sleep(_QUICK_IDLE_S if run.is_quick else _IDLE_S)
    took_s = time.monotonic() - began_at
    for side, cpu_s in zip(sides, before, strict=True):
        run.record.add(_CPU, side, [100 * (side.cpu_s() - cpu_s) / took_s])


def _pss_mb(side: Side, *, without: str = "") -> float:
    """Return the memory of all processes, what several share divided among them.

    Those whose name is *without* are left out.
    """
    left_out = {int(folder.name) for folder in peak.named(side.pids(), [without])}
    return sum(_pss_kb(pid) for pid in side.pids() - left_out) * 1.024 / _KB_PER_MB


def _pss_kb(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
        return int(words[words.index("Pss:") + 1])
    return 0


def _memory(count: int) -> str:
    return f"idle memory, {count} plugins"


_CPU = f"idle CPU, {_COUNT} plugins"
_EACH = "memory of a running plugin, beyond its own"

GROUP = Group(
    name="idle",
    rows=(
        Row(name=_memory(0), unit="MB"),
        Row(name=_memory(_COUNT), unit="MB"),
        Row(name=_CPU, unit="%"),
        Row(name=_EACH, unit="MB"),
    ),
    measure=_measure,
)
