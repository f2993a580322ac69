"""The loop that keeps a node's processes running until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from services.parent.domain.backoff import Backoff
from services.parent.domain.ending import Ending
from services.parent.domain.head_start import HeadStart
from services.parent.ports import Processes, Unit
from shared import errdefs

log = structlog.get_logger()

#: How often it is looked whether a head start is over.
_LOOK_EVERY_S = 0.02


@dataclass(slots=True, kw_only=True)
class _Kept:
    """A unit and its present process."""

    unit: Unit
    pid: int | None
    started_at: float
    #: When it is to start; None while it runs.
    due_at: float | None
    #: Runs in a row that did not last.
    failures: int = 0


def _kept(unit: Unit, pid: int | None, now: float) -> _Kept:
    return _Kept(unit=unit, pid=pid, started_at=now, due_at=now if pid is None else None)


class Supervision:
    """Starts units in their order, restarts those that end, stops all in the opposite order.

    *adopted* names the units that run already, and their processes, which are watched.
    *take_over* is called with a unit's name before each start: what an earlier parent forked in
    its last moment may have got ahead of us. It returns a process that is adopted, watched, or
    raises Conflict when the unit can't run now. Units of the *head_start* go before the others.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        *,
        adopted: Mapping[str, int],
        take_over: Callable[[str], int | None],
        processes: Processes,
        backoff: Backoff,
        clock: Callable[[], float],
        grace_s: float,
        head_start: HeadStart | None = None,
    ) -> None:
        now = clock()
        self._kept = [_kept(unit, adopted.get(unit.name), now) for unit in units]
        self._take_over = take_over
        self._processes = processes
        self._backoff = backoff
        self._clock = clock
        self._grace_s = grace_s
        self._head_start = head_start or HeadStart()
        self._all_may_start = not self._head_start.names

    def run(self) -> None:
        """Keep the units running until a signal says stop, then stop them."""
        told_to_stop = False
        while not told_to_stop:
            self._start_due()
            wakeup = self._processes.wait(self._idle_s())
            for ending in wakeup.ended:
                self._take_note(ending)
            told_to_stop = wakeup.told_to_stop
        log.info("stopping")
        self._stop()

    def _start_due(self) -> None:
        for kept in self._first():
            self._start_if_due(kept)
        self._all_may_start = self._all_may_start or self._is_head_start_over()
        if self._all_may_start:
            for kept in self._kept:
                self._start_if_due(kept)

    def _first(self) -> list[_Kept]:
        return [kept for kept in self._kept if kept.unit.name in self._head_start.names]

    def _is_head_start_over(self) -> bool:
        last = max((kept.started_at for kept in self._first()), default=0.0)
        return self._head_start.is_over(self._clock() - last)

    def _start_if_due(self, kept: _Kept) -> None:
        if kept.due_at is not None and kept.due_at <= self._clock():
            self._start(kept)

    def _start(self, kept: _Kept) -> None:
        kept.started_at = self._clock()
        try:
            pid = self._take_over(kept.unit.name) or kept.unit.start(kept.failures)
        except (OSError, errdefs.Conflict) as error:
            self._postpone(kept, how=f"did not start: {error}")
            return
        kept.pid, kept.due_at = pid, None
        self._processes.watch(pid)
        log.info("running", unit=kept.unit.name, pid=pid)

    def _take_note(self, ending: Ending) -> None:
        for kept in self._kept:
            if kept.pid == ending.pid:
                self._postpone(kept, how=ending.how)

    def _postpone(self, kept: _Kept, *, how: str) -> None:
        now = self._clock()
        kept.failures = self._backoff.failures(kept.failures, now - kept.started_at)
        pause_s = self._backoff.pause_s(kept.failures)
        pid, kept.pid, kept.due_at = kept.pid, None, now + pause_s
        log.warning("ended", unit=kept.unit.name, pid=pid, how=how, back_in_s=round(pause_s, 3))

    def _idle_s(self) -> float | None:
        if not self._all_may_start:
            return _LOOK_EVERY_S
        due = [kept.due_at for kept in self._kept if kept.due_at is not None]
        return max(0.0, min(due) - self._clock()) if due else None

    def _stop(self) -> None:
        for kept in reversed(self._kept):
            if kept.pid is None:
                continue
            ending = self._processes.end(kept.pid, self._grace_s)
            how = ending.how if ending else "it does not end, not even by SIGKILL"
            log.info("stopped", unit=kept.unit.name, pid=kept.pid, how=how)
