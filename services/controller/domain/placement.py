"""Mode global: on which nodes a service is, and what is desired of its tasks there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.controller.domain import constraint, task
from services.controller.domain.constraint import Constraint, Placeable
from services.controller.domain.plugin_service import ServiceRecord
from services.controller.domain.task import TaskRecord
from shared.contracts.node import Availability, Node, NodeState
from shared.contracts.swarm import (
    RestartCondition,
    RestartPolicy,
    ServiceSpec,
    TaskState,
)

#: Ended tasks that are shown of a service on a node.
_KEPT = 5
#: A delay grows with failures in a row, up to this many times.
_MOST_DELAYS = 12
#: Starts that are remembered, for restart policies that allow only so many.
_MOST_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node, as far as services are concerned."""

    name: str
    node_id: str
    is_up: bool
    availability: Availability
    placeable: Placeable

    @classmethod
    def of(cls, node: Node, active: str) -> Place:
        """Return a node; that of the *active* controller is the manager."""
        placeable = Placeable(
            node_id=node.node_id,
            hostname=node.name,
            address=node.description.address,
            role="manager" if node.name == active else "worker",
            os=node.description.os,
            architecture=node.description.architecture,
            labels=node.labels,
            engine_labels=node.description.labels,
        )
        return cls(
            name=node.name,
            node_id=node.node_id,
            is_up=node.state is NodeState.READY,
            availability=node.availability,
            placeable=placeable,
        )

    def takes(self, constraints: Iterable[Constraint]) -> bool:
        """Tell whether a service with these constraints is to be here."""
        is_open = self.is_up and self.availability is not Availability.DRAIN
        return is_open and constraint.admits(constraints, self.placeable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A service on a node: its tasks there, oldest first."""

    service: ServiceRecord
    place: Place
    tasks: tuple[TaskRecord, ...]

    @property
    def current(self) -> TaskRecord | None:
        """Return the task that is wished, the newest if there are several."""
        return next((one for one in reversed(self.tasks) if one.is_wished), None)

    @property
    def is_dirty(self) -> bool:
        """Tell whether the current task follows another spec than the service has."""
        return self.current is not None and is_dirty(self.current.task.spec, self.service.spec)


def is_dirty(old: ServiceSpec, new: ServiceSpec) -> bool:
    """Tell whether a task of one spec is not as another one says: only what is done counts."""
    return old.plugin != new.plugin or old.force_update != new.force_update


def slots(
    service: ServiceRecord, places: Iterable[Place], tasks: Sequence[TaskRecord]
) -> tuple[Slot, ...]:
    """Return the nodes that a service is to be on, with its tasks there."""
    constraints = constraint.parse(service.spec.constraints)
    here = sorted((p for p in places if p.takes(constraints)), key=lambda place: place.name)
    return tuple(
        Slot(
            service=service,
            place=place,
            tasks=tuple(one for one in tasks if one.node == place.name),
        )
        for place in here
    )


def filled(slot: Slot, now_ns: int, new_id: Callable[[], str]) -> tuple[TaskRecord, ...]:
    """Return the tasks that a slot needs, or what becomes of the ones it has: its updates aside."""
    if slot.place.availability is Availability.PAUSE:
        return ()
    if slot.current is None:
        return (_task(slot, now_ns, new_id()),)
    due_ns = successor_due_ns(slot)
    if due_ns is None or now_ns < due_ns:
        return ()
    ended = task.desired(slot.current, TaskState.SHUTDOWN, now_ns)
    return (ended, _successor(slot, slot.current, now_ns, new_id()))


def successor_due_ns(slot: Slot) -> int | None:
    """Return when a task that ended has a successor: after a delay that grows with failures.

    None: it has not ended, or the restart policy has it that there is none.
    """
    ended, policy = slot.current, slot.service.spec.restart or RestartPolicy()
    if ended is None or not ended.state.is_terminal:
        return None
    ended_ns = ended.task.status.timestamp_ns
    if not _has_successor(ended, policy, ended_ns):
        return None
    delays = min(1 << min(_failures(ended, policy) - 1, _MOST_DELAYS), _MOST_DELAYS)
    return ended_ns + policy.delay_ns * delays


def replaced(slot: Slot, now_ns: int, new_id: Callable[[], str]) -> tuple[TaskRecord, ...]:
    """Return a slot's tasks once the service's spec is followed by a new one."""
    ended = tuple(
        task.desired(one, TaskState.SHUTDOWN, now_ns) for one in slot.tasks if one.is_wished
    )
    return (*ended, _task(slot, now_ns, new_id()))


def left(tasks: Iterable[TaskRecord], kept: Iterable[Slot], now_ns: int) -> tuple[TaskRecord, ...]:
    """Return the tasks of nodes that a service is not to be on, ended."""
    stay = {slot.place.name for slot in kept}
    gone = (one for one in tasks if one.node not in stay and one.is_wished)
    return tuple(task.desired(one, TaskState.SHUTDOWN, now_ns) for one in gone)


def removed(tasks: Iterable[TaskRecord], now_ns: int) -> tuple[TaskRecord, ...]:
    """Return the tasks of a service that is gone."""
    return tuple(
        task.desired(one, TaskState.REMOVE, now_ns).model_copy(update={"is_leaving": True})
        for one in tasks
    )


def leaving(tasks: Sequence[TaskRecord], kept: Iterable[Slot]) -> tuple[TaskRecord, ...]:
    """Return ended tasks whose part of the plugin is to be given up from now on.

    One with a successor waits until that has taken the plugin over, or the last one to give it up
    would end the plugin.
    """
    prepared = {
        slot.place.name: slot.current is not None and slot.current.state.rank >= _READY
        for slot in kept
    }
    return tuple(
        one.model_copy(update={"is_leaving": True})
        for one in tasks
        if one.state.is_terminal
        and not one.is_wished
        and not one.is_leaving
        and prepared.get(one.node, True)
    )


def forgotten(
    tasks: Sequence[TaskRecord], *, nodes: Mapping[str, Place], is_removed: bool
) -> tuple[TaskRecord, ...]:
    """Return the tasks of which nothing is kept: old ones, those of nodes that nobody knows."""
    by_node: dict[str, list[TaskRecord]] = {}
    for one in tasks:
        by_node.setdefault(one.node, []).append(one)
    gone: list[TaskRecord] = []
    for node, of_node in by_node.items():
        over = [one for one in of_node if one.is_removed]
        if node not in nodes:
            gone.extend(one for one in of_node if not one.is_wished)
        else:
            gone.extend(over if is_removed else over[: max(0, len(over) - _KEPT)])
    return tuple(gone)


_READY = TaskState.READY.rank


def _task(slot: Slot, now_ns: int, task_id: str) -> TaskRecord:
    return task.begun(
        task_id,
        slot.service.service.service_id,
        slot.place.name,
        slot.place.node_id,
        slot.service.spec,
        now_ns,
    )


def _successor(slot: Slot, ended: TaskRecord, now_ns: int, task_id: str) -> TaskRecord:
    """Return the task after one that ended; another spec has failed no time yet."""
    new = _task(slot, now_ns, task_id)
    if is_dirty(ended.task.spec, slot.service.spec):
        return new
    failures = _failures(ended, slot.service.spec.restart or RestartPolicy())
    attempts = (*ended.attempts_ns, now_ns)[-_MOST_ATTEMPTS:]
    return new.model_copy(update={"failures": failures, "attempts_ns": attempts})


def _failures(ended: TaskRecord, policy: RestartPolicy) -> int:
    """Return how many tasks in a row have not lasted, with one that ended just now."""
    return 1 if _lasted(ended, policy) else ended.failures + 1


def _lasted(ended: TaskRecord, policy: RestartPolicy) -> bool:
    """Tell whether a task ran longer than the delays that failures before it had come to."""
    if not ended.started_at_ns:
        return False
    ran_ns = ended.task.status.timestamp_ns - ended.started_at_ns
    return ran_ns > policy.delay_ns * _MOST_DELAYS


def _has_successor(ended: TaskRecord, policy: RestartPolicy, ended_ns: int) -> bool:
    if policy.condition is RestartCondition.NONE:
        return False
    if policy.condition is RestartCondition.ON_FAILURE and ended.state is TaskState.COMPLETE:
        return False
    since_ns = ended_ns - policy.window_ns if policy.window_ns else 0
    counted = [at_ns for at_ns in ended.attempts_ns if at_ns > since_ns]
    return not policy.max_attempts or len(counted) < policy.max_attempts
