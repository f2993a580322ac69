"""What a look at services, nodes and tasks changes: from what is observed to what is desired."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from services.controller.domain import placement, rolling
from services.controller.domain.placement import Place
from services.controller.domain.plugin_service import ServiceRecord
from services.controller.domain.task import TaskRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Records that change, tasks that are forgotten, and when to look again, if ever."""

    service: ServiceRecord | None = None
    tasks: tuple[TaskRecord, ...] = ()
    forgotten: tuple[str, ...] = ()
    due_ns: int | None = None


def plan(
    service: ServiceRecord | None,
    places: Mapping[str, Place],
    tasks: Iterable[TaskRecord],
    now_ns: int,
    new_id: Callable[[], str],
) -> Plan:
    """Return what changes of one service; None: it is gone, and its tasks are to follow.

    Safe to repeat: where all is as desired nothing changes.
    """
    kept = _Tasks(tasks)
    if service is None:
        kept.take(placement.removed(kept.all, now_ns))
        return _planned(kept, places, is_removed=True)
    here = placement.slots(service, places.values(), kept.all)
    kept.take(placement.left(kept.all, here, now_ns))
    for slot in here:
        kept.take(placement.filled(slot, now_ns, new_id))
    rolled = rolling.roll(
        service, placement.slots(service, places.values(), kept.all), now_ns, new_id
    )
    kept.take(rolled.tasks)
    after = rolled.service or service
    here = placement.slots(after, places.values(), kept.all)
    kept.take(placement.leaving(kept.all, here))
    planned = _planned(kept, places, is_removed=False)
    due_ns = _soonest((rolled.due_ns, *map(placement.successor_due_ns, here)))
    return Plan(
        service=rolled.service, tasks=planned.tasks, forgotten=planned.forgotten, due_ns=due_ns
    )


class _Tasks:
    """A service's tasks, oldest first, and those of them that a look has changed."""

    def __init__(self, tasks: Iterable[TaskRecord]) -> None:
        self._before = {one.task_id: one for one in tasks}
        self._now = dict(self._before)

    @property
    def all(self) -> tuple[TaskRecord, ...]:
        return tuple(sorted(self._now.values(), key=lambda one: one.task.created_at_ns))

    @property
    def changed(self) -> tuple[TaskRecord, ...]:
        return tuple(one for one in self.all if self._before.get(one.task_id) != one)

    def take(self, tasks: Iterable[TaskRecord]) -> None:
        self._now |= {one.task_id: one for one in tasks}


def _planned(kept: _Tasks, places: Mapping[str, Place], *, is_removed: bool) -> Plan:
    gone = {
        one.task_id for one in placement.forgotten(kept.all, nodes=places, is_removed=is_removed)
    }
    return Plan(
        tasks=tuple(one for one in kept.changed if one.task_id not in gone),
        forgotten=tuple(sorted(gone)),
    )


def _soonest(due: Iterable[int | None]) -> int | None:
    return min((at_ns for at_ns in due if at_ns is not None), default=None)
