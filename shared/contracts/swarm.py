"""Plugin services and their tasks, in swarm's words: what is desired, what is observed."""

from enum import StrEnum
from typing import Any, ClassVar, Final

from shared.contracts.job import Sealed
from shared.contracts.message import Command, Done, Message, Value

_SECOND_NS = 10**9
#: The key, in an error's detail, of the code that swarmkit gives such an error: Docker's clients
#: see it in front of the text.
GRPC_CODE: Final = "grpc_code"


class TaskState(StrEnum):
    """How far a task is; it only moves forward."""

    NEW = "new"
    PENDING = "pending"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    PREPARING = "preparing"
    READY = "ready"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETE = "complete"
    SHUTDOWN = "shutdown"
    FAILED = "failed"
    REJECTED = "rejected"
    REMOVE = "remove"
    ORPHANED = "orphaned"

    @property
    def rank(self) -> int:
        """Return its place in the order in which tasks go through states."""
        return _RANKS[self]

    @property
    def is_terminal(self) -> bool:
        """Tell whether a task in it does nothing more."""
        return self.rank >= TaskState.COMPLETE.rank


_RANKS = {state: rank for rank, state in enumerate(TaskState)}


class PluginSpec(Value):
    """The plugin that a service wants on each of its nodes."""

    #: Local name; empty: the plugin is called by its remote reference.
    name: str = ""
    remote: str
    #: What is granted, in Docker's own keys.
    privileges: tuple[dict[str, Any], ...] = ()
    #: Whether it shall be there, and not run.
    disabled: bool = False
    #: Lines `K=V` over the environment that the plugin's config has.
    env: tuple[str, ...] = ()


class RestartCondition(StrEnum):
    """After which ends a task has a successor."""

    NONE = "none"
    ON_FAILURE = "on-failure"
    ANY = "any"


class RestartPolicy(Value):
    """When a task that ended has a successor."""

    condition: RestartCondition = RestartCondition.ANY
    delay_ns: int = 5 * _SECOND_NS
    #: 0: no limit.
    max_attempts: int = 0
    #: How far back attempts count; 0: all do.
    window_ns: int = 0


class FailureAction(StrEnum):
    """What becomes of a rolling update that fails."""

    PAUSE = "pause"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class UpdateOrder(StrEnum):
    """Whether the old version ends before the new one starts."""

    STOP_FIRST = "stop-first"
    START_FIRST = "start-first"


class UpdateConfig(Value):
    """How an update goes from node to node."""

    #: Nodes at once; 0: all.
    parallelism: int = 1
    delay_ns: int = 0
    failure_action: FailureAction = FailureAction.PAUSE
    #: How long a new version has to last before it counts.
    monitor_ns: int = 5 * _SECOND_NS
    max_failure_ratio: float = 0.0
    order: UpdateOrder = UpdateOrder.STOP_FIRST


class ServiceSpec(Value):
    """What a person wishes; it is never rewritten. None: nothing was said, the default holds."""

    name: str = ""
    labels: dict[str, str] | None = None
    plugin: PluginSpec
    constraints: tuple[str, ...] = ()
    #: Counted up to have everything done anew.
    force_update: int = 0
    restart: RestartPolicy | None = None
    update: UpdateConfig | None = None
    rollback: UpdateConfig | None = None


class UpdateState(StrEnum):
    """How far an update is."""

    UPDATING = "updating"
    PAUSED = "paused"
    COMPLETED = "completed"
    ROLLBACK_STARTED = "rollback_started"
    ROLLBACK_PAUSED = "rollback_paused"
    ROLLBACK_COMPLETED = "rollback_completed"


class UpdateStatus(Value):
    """The update under way, or the last one."""

    state: UpdateState
    message: str
    started_at_ns: int
    completed_at_ns: int | None = None


class ServiceStatus(Value):
    """How many of a service's tasks run, and shall run."""

    running: int
    desired: int


class Service(Value):
    """A service."""

    service_id: str
    #: Grows with each change; an update names the one that it saw.
    version: int
    created_at_ns: int
    updated_at_ns: int
    spec: ServiceSpec
    previous_spec: ServiceSpec | None = None
    update_status: UpdateStatus | None = None
    status: ServiceStatus | None = None


class TaskStatus(Value):
    """What is observed of a task."""

    state: TaskState = TaskState.NEW
    timestamp_ns: int
    message: str = ""
    #: Why it failed, or what is wrong with it.
    error: str = ""
    container_id: str = ""
    pid: int = 0
    exit_code: int = 0


class Task(Value):
    """One node's share of a service under one spec; it is replaced, never started again."""

    task_id: str
    version: int
    created_at_ns: int
    updated_at_ns: int
    service_id: str
    node_id: str
    #: The service's spec that it follows.
    spec: ServiceSpec
    desired_state: TaskState
    status: TaskStatus


class ServiceCreated(Message):
    """The new service's id."""

    TYPE: ClassVar[str] = "controller.service.created.v1"

    service_id: str


class CreateService(Command[ServiceCreated]):
    """Create a service.

    *service_id* is the client's choice, so that credentials can be sealed for it.
    """

    TYPE: ClassVar[str] = "controller.service.create.v1"

    service_id: str
    spec: ServiceSpec
    #: Sealed to the node of the active controller, for `service/<service id>`.
    credentials: Sealed | None = None


class ServiceReply(Message):
    """A service."""

    TYPE: ClassVar[str] = "controller.service.reply.v1"

    service: Service


class UpdateService(Command[ServiceReply]):
    """Give a service another spec, or with *rollback* its previous one.

    Credentials that are not sent stay. Raises Conflict when the service is no longer at *version*.
    """

    TYPE: ClassVar[str] = "controller.service.update.v1"

    name: str
    version: int
    spec: ServiceSpec
    credentials: Sealed | None = None
    rollback: bool = False


class RemoveService(Command[Done]):
    """Remove a service; its plugins go from its nodes, from those that are away later."""

    TYPE: ClassVar[str] = "controller.service.remove.v1"

    name: str


class GetService(Command[ServiceReply]):
    """Ask for one service by id, name or the beginning of an id."""

    TYPE: ClassVar[str] = "controller.service.get.v1"

    name: str


class ServiceList(Message):
    """All services, by name, with their status."""

    TYPE: ClassVar[str] = "controller.service.listed.v1"

    services: tuple[Service, ...]


class ListServices(Command[ServiceList]):
    """Ask for all services."""

    TYPE: ClassVar[str] = "controller.service.list.v1"


class TaskList(Message):
    """Tasks, oldest first."""

    TYPE: ClassVar[str] = "controller.task.listed.v1"

    tasks: tuple[Task, ...]


class ListTasks(Command[TaskList]):
    """Ask for all tasks that are kept."""

    TYPE: ClassVar[str] = "controller.task.list.v1"
