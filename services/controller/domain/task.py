"""A task: what is kept of it, the next step towards what is desired, and what each step makes."""

from __future__ import annotations

from enum import StrEnum

from services.controller.domain import service_spec
from shared import errdefs
from shared.contracts.message import Value
from shared.contracts.plugin import Plugin
from shared.contracts.swarm import PluginSpec, ServiceSpec, Task, TaskState, TaskStatus


class Step(StrEnum):
    """What can be done to a task next; after swarmkit's loop, one at a time."""

    ACCEPT = "accept"
    BEGIN_PREPARE = "begin-prepare"
    PREPARE = "prepare"
    BEGIN_START = "begin-start"
    START = "start"
    WAIT = "wait"
    SHUTDOWN = "shutdown"
    REMOVE = "remove"


class Applied(Value):
    """What a task made of a node's plugin."""

    plugin_id: str
    manifest_digest: str
    spec: PluginSpec
    force_update: int = 0


class TaskRecord(Value):
    """All that the controller keeps of a task."""

    task: Task
    #: The node's name.
    node: str
    #: What was installed when it was prepared; None before.
    applied: Applied | None = None
    #: When it was first as desired; 0: not yet.
    started_at_ns: int = 0
    #: When the plugin had last ended unasked, as its node said when the task was started.
    exited_at_ns: int = 0
    #: How many in a row before it failed on this node under this spec.
    failures: int = 0
    #: When it and those that it succeeds were made, as far as they succeed failed ones.
    attempts_ns: tuple[int, ...] = ()
    #: Whether its part of the plugin is to be given up, and whether it has been.
    is_leaving: bool = False
    is_removed: bool = False

    @property
    def task_id(self) -> str:
        """Return the task's id."""
        return self.task.task_id

    @property
    def state(self) -> TaskState:
        """Return how far the task is."""
        return self.task.status.state

    @property
    def is_wished(self) -> bool:
        """Tell whether the task is to go on, or to come."""
        return self.task.desired_state.rank <= TaskState.RUNNING.rank

    @property
    def plugin_name(self) -> str:
        """Return what the plugin is called on the node."""
        return service_spec.plugin_name(self.task.spec)


#: The states from which the next one needs nothing to be done.
_ON = {
    TaskState.NEW: Step.ACCEPT,
    TaskState.PENDING: Step.ACCEPT,
    TaskState.ASSIGNED: Step.ACCEPT,
    TaskState.ACCEPTED: Step.BEGIN_PREPARE,
    TaskState.READY: Step.BEGIN_START,
}
#: The states in which something is done, even beyond what is desired by now.
_DOING = {
    TaskState.PREPARING: Step.PREPARE,
    TaskState.STARTING: Step.START,
    TaskState.RUNNING: Step.WAIT,
}
#: What a step leads to when it goes well, and swarm's word for it.
_AFTER = {
    Step.ACCEPT: (TaskState.ACCEPTED, "accepted"),
    Step.BEGIN_PREPARE: (TaskState.PREPARING, "preparing"),
    Step.PREPARE: (TaskState.READY, "prepared"),
    Step.BEGIN_START: (TaskState.STARTING, "starting"),
    Step.START: (TaskState.RUNNING, "started"),
    Step.WAIT: (TaskState.COMPLETE, "finished"),
    Step.SHUTDOWN: (TaskState.SHUTDOWN, "shutdown"),
}


def begun(
    task_id: str, service_id: str, node: str, node_id: str, spec: ServiceSpec, now_ns: int
) -> TaskRecord:
    """Return a new task of a service on a node."""
    task = Task(
        task_id=task_id,
        version=1,
        created_at_ns=now_ns,
        updated_at_ns=now_ns,
        service_id=service_id,
        node_id=node_id,
        spec=spec,
        desired_state=TaskState.RUNNING,
        status=TaskStatus(state=TaskState.NEW, timestamp_ns=now_ns, message="created"),
    )
    return TaskRecord(task=task, node=node)


def next_step(record: TaskRecord) -> Step | None:
    """Return what is to be done to a task on a node that is there; None: nothing now."""
    state, desired = record.state, record.task.desired_state
    if state.is_terminal:
        return Step.REMOVE if record.is_leaving and not record.is_removed else None
    if desired.rank >= TaskState.SHUTDOWN.rank:
        return Step.SHUTDOWN
    if state.rank > desired.rank:
        return None
    if state in _DOING:
        return _DOING[state]
    return _ON.get(state) if state.rank < desired.rank else None


def advanced(record: TaskRecord, step: Step, now_ns: int) -> TaskRecord:
    """Return a task after a step that went well."""
    if step is Step.REMOVE:
        return record.model_copy(update={"is_removed": True})
    state, message = _AFTER[step]
    return _with(record, now_ns, state=state, message=message, error="")


def prepared(record: TaskRecord, plugin: Plugin, now_ns: int) -> TaskRecord:
    """Return a task whose plugin is installed as the spec has it."""
    applied = Applied(
        plugin_id=plugin.plugin_id,
        manifest_digest=plugin.manifest_digest,
        spec=record.task.spec.plugin,
        force_update=record.task.spec.force_update,
    )
    on = advanced(record, Step.PREPARE, now_ns)
    return on.model_copy(update={"applied": applied})


def started(record: TaskRecord, plugin: Plugin, now_ns: int) -> TaskRecord:
    """Return a task whose plugin is as desired."""
    on = observed(advanced(record, Step.START, now_ns), plugin, now_ns)
    ended = plugin.status.last_exit
    exited_at_ns = ended.exited_at_ns if ended else 0
    return on.model_copy(update={"started_at_ns": now_ns, "exited_at_ns": exited_at_ns})


def observed(record: TaskRecord, plugin: Plugin, now_ns: int) -> TaskRecord:
    """Return a running task with what is seen of its plugin: its container, its health."""
    status = record.task.status
    seen = {
        "container_id": plugin.status.container_id or "",
        "pid": plugin.status.pid or 0,
        "error": sickness(plugin),
    }
    if all(getattr(status, key) == value for key, value in seen.items()):
        return record
    return _with(record, now_ns, **seen)


def sickness(plugin: Plugin) -> str:
    """Return what is wrong with a plugin that runs; empty: nothing."""
    if plugin.status.health != "unhealthy":
        return ""
    told = f": {plugin.status.health_message}" if plugin.status.health_message else ""
    return f"unhealthy plugin{told}"


def failed(record: TaskRecord, error: errdefs.Error, now_ns: int) -> TaskRecord:
    """Return a task that ended in an error: rejected before it was started, failed from then on."""
    is_early = record.state.rank < TaskState.STARTING.rank
    state = TaskState.REJECTED if is_early else TaskState.FAILED
    code = error.detail.get("exit_code", 0)
    return _with(record, now_ns, state=state, error=error.message, exit_code=code or 0)


def hindered(record: TaskRecord, error: errdefs.Error, now_ns: int) -> TaskRecord:
    """Return a task whose step is tried again, saying what was in the way."""
    if record.task.status.error == error.message:
        return record
    return _with(record, now_ns, error=error.message)


def desired(record: TaskRecord, state: TaskState, now_ns: int) -> TaskRecord:
    """Return a task of which something else is desired."""
    if record.task.desired_state is state:
        return record
    task = record.task.model_copy(update={"desired_state": state, **_stamp(record, now_ns)})
    return record.model_copy(update={"task": task})


def is_temporary(error: errdefs.Error) -> bool:
    """Tell whether a step that failed so is tried again, rather than the task given up."""
    if isinstance(error, errdefs.DeadlineExceeded):
        # What dockerd has no class for is the plugin's own: its socket never answered.
        return not error.docker_unclassed
    if isinstance(error, errdefs.Conflict):
        # A job has the plugin, or another controller has become active.
        return "job" in error.detail or "fenced" in error.detail
    return isinstance(error, errdefs.Unavailable)


def _with(record: TaskRecord, now_ns: int, **changes: object) -> TaskRecord:
    status = record.task.status.model_copy(update={**changes, "timestamp_ns": now_ns})
    task = record.task.model_copy(update={"status": status, **_stamp(record, now_ns)})
    return record.model_copy(update={"task": task})


def _stamp(record: TaskRecord, now_ns: int) -> dict[str, int]:
    return {"version": record.task.version + 1, "updated_at_ns": now_ns}
