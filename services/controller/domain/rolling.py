"""A rolling update: a few nodes at a time get a new spec, until all have it or it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.controller.domain import placement, plugin_service
from services.controller.domain.placement import Slot
from services.controller.domain.plugin_service import Progress, ServiceRecord
from services.controller.domain.task import TaskRecord
from shared.contracts.node import Availability
from shared.contracts.swarm import (
    FailureAction,
    TaskState,
    UpdateConfig,
    UpdateState,
    UpdateStatus,
)

_PAUSED = frozenset({UpdateState.PAUSED, UpdateState.ROLLBACK_PAUSED})
_UNDER_WAY = frozenset({UpdateState.UPDATING, UpdateState.ROLLBACK_STARTED})
_FAILED = frozenset({TaskState.FAILED, TaskState.REJECTED, TaskState.COMPLETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """The service and the tasks that a look at an update changed; when to look again, if ever."""

    service: ServiceRecord | None = None
    tasks: tuple[TaskRecord, ...] = ()
    due_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Update:
    """An update under way."""

    service: ServiceRecord
    status: UpdateStatus
    progress: Progress
    config: UpdateConfig
    tasks: tuple[TaskRecord, ...]
    now_ns: int

    @property
    def is_rollback(self) -> bool:
        return self.status.state is UpdateState.ROLLBACK_STARTED

    @property
    def newly_failed(self) -> tuple[str, ...]:
        """Return the tasks of the update that failed before they had lasted, and are new to it."""
        return tuple(
            one.task_id
            for one in self.tasks
            if one.state in _FAILED
            and one.task_id not in self.progress.failed
            and self._is_soon(one)
        )

    def _is_soon(self, one: TaskRecord) -> bool:
        lasted_ns = one.task.status.timestamp_ns - one.started_at_ns
        return not one.started_at_ns or lasted_ns <= self.config.monitor_ns

    @property
    def busy(self) -> int:
        """Return how many nodes have their turn: the new version starts, or a delay follows it."""
        return sum(
            one.is_wished
            and not one.state.is_terminal
            and (not one.started_at_ns or self.now_ns < one.started_at_ns + self.config.delay_ns)
            for one in self.tasks
        )

    def until_ns(self, period_ns: int) -> int:
        """Return when a period is over that began as the last new version started."""
        return max((one.started_at_ns for one in self.tasks), default=0) + period_ns


def roll(
    service: ServiceRecord, slots: Sequence[Slot], now_ns: int, new_id: Callable[[], str]
) -> Rolled:
    """Return the next step of a service's update; nothing where there is none, or it is paused."""
    dirty = [s for s in slots if s.is_dirty and s.place.availability is not Availability.PAUSE]
    status = service.service.update_status
    if status is not None and status.state in _PAUSED:
        return Rolled()
    if not dirty and (status is None or status.state not in _UNDER_WAY):
        return Rolled()
    update = _under_way(service, slots, len(dirty), now_ns)
    if failed := update.newly_failed:
        return _after_failure(update, failed)
    if dirty:
        return _next_nodes(update, dirty, new_id)
    return _end(update)


def _under_way(service: ServiceRecord, slots: Sequence[Slot], dirty: int, now_ns: int) -> _Update:
    status, progress = service.service.update_status, service.progress
    if status is None or status.state not in _UNDER_WAY:
        status = UpdateStatus(
            state=UpdateState.UPDATING, message="update in progress", started_at_ns=now_ns
        )
        progress = None
    is_rollback = status.state is UpdateState.ROLLBACK_STARTED
    said = service.spec.rollback if is_rollback else service.spec.update
    progress = progress or Progress(total=dirty)
    ours = frozenset(progress.tasks)
    return _Update(
        service=service,
        status=status,
        progress=progress,
        config=said or UpdateConfig(),
        tasks=tuple(one for slot in slots for one in slot.tasks if one.task_id in ours),
        now_ns=now_ns,
    )


def _after_failure(update: _Update, failed: tuple[str, ...]) -> Rolled:
    progress = update.progress.model_copy(update={"failed": (*update.progress.failed, *failed)})
    config, why = update.config, f"failure or early termination of task {failed[-1]}"
    is_over = len(progress.failed) / max(1, progress.total) > config.max_failure_ratio
    if not is_over or config.failure_action is FailureAction.CONTINUE:
        return _told(update, update.status, progress, due_ns=update.now_ns)
    if update.is_rollback:
        return _told(
            update,
            _status(update, UpdateState.ROLLBACK_PAUSED, f"rollback paused due to {why}"),
            progress,
        )
    if config.failure_action is FailureAction.ROLLBACK:
        message = f"update rolled back due to {why}"
        back = plugin_service.rolling_back(update.service, message, update.now_ns)
        return Rolled(service=back, due_ns=update.now_ns)
    return _told(
        update, _status(update, UpdateState.PAUSED, f"update paused due to {why}"), progress
    )


def _next_nodes(update: _Update, dirty: Sequence[Slot], new_id: Callable[[], str]) -> Rolled:
    at_once = update.config.parallelism or len(dirty)
    turn = dirty[: max(0, at_once - update.busy)]
    made: list[TaskRecord] = []
    for slot in turn:
        made.extend(placement.replaced(slot, update.now_ns, new_id))
    new = [one.task_id for one in made if one.is_wished]
    progress = update.progress.model_copy(update={"tasks": (*update.progress.tasks, *new)})
    due_ns = update.until_ns(update.config.delay_ns) if update.config.delay_ns else None
    if due_ns is not None and due_ns <= update.now_ns:
        due_ns = None
    told = _told(update, update.status, progress, due_ns=due_ns)
    return Rolled(service=told.service, tasks=tuple(made), due_ns=told.due_ns)


def _end(update: _Update) -> Rolled:
    """End an update whose nodes all have the new spec, once the last one has lasted."""
    if any(one.is_wished and one.state.rank < TaskState.RUNNING.rank for one in update.tasks):
        return _told(update, update.status, update.progress)
    due_ns = update.until_ns(max(update.config.monitor_ns, update.config.delay_ns))
    if update.now_ns < due_ns:
        return _told(update, update.status, update.progress, due_ns=due_ns)
    if update.is_rollback:
        return _told(
            update, _status(update, UpdateState.ROLLBACK_COMPLETED, "rollback completed"), None
        )
    return _told(update, _status(update, UpdateState.COMPLETED, "update completed"), None)


def _status(update: _Update, state: UpdateState, message: str) -> UpdateStatus:
    is_over = state in (UpdateState.COMPLETED, UpdateState.ROLLBACK_COMPLETED)
    return update.status.model_copy(
        update={
            "state": state,
            "message": message,
            "completed_at_ns": update.now_ns if is_over else None,
        }
    )


def _told(
    update: _Update, status: UpdateStatus, progress: Progress | None, due_ns: int | None = None
) -> Rolled:
    """Return the service with what is new of its update; unchanged, it is not written again."""
    service = update.service
    if status == service.service.update_status and progress == service.progress:
        return Rolled(due_ns=due_ns)
    changed = plugin_service.in_update(service, status, progress, update.now_ns)
    return Rolled(service=changed, due_ns=due_ns)
