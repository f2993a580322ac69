"""What is kept of a container in its folder, and how it is told to others."""

from __future__ import annotations

from enum import StrEnum

from shared.contracts.executor import (
    Container,
    ContainerStatus,
    Exit,
    HealthCheck,
    HealthStatus,
)
from shared.contracts.message import Value


class Phase(StrEnum):
    """How far the start of a container has come; it only moves forward."""

    #: Its folder is being filled, or runc is creating it and may have started it; a crash leaves
    #: something half-made.
    PREPARING = "preparing"
    #: Created; it was started, or runc is about to be told.
    STARTING = "starting"
    #: Started and ready.
    RUNNING = "running"


class Process(Value):
    """A process that can't be mistaken for a later one with the same pid."""

    pid: int
    #: Boot and start time.
    birth: str


class Record(Value):
    """A container as its folder remembers it."""

    container_id: str
    phase: Phase = Phase.PREPARING
    #: Host folder that holds the container's sockets.
    socket_dir: str
    health: HealthCheck | None = None
    #: Host folder that its mounts are shared through.
    propagated: str | None = None
    #: The log that its output belongs to, with that of the containers before and after it.
    log_name: str = ""
    init: Process | None = None
    conmon: Process | None = None
    started_at_ns: int | None = None
    degraded: bool = False
    ran_out_of_memory: bool = False
    health_status: HealthStatus = HealthStatus.NONE
    health_message: str = ""
    exit: Exit | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Return where it stands among the containers of its log."""
        return (self.started_at_ns or 0, self.container_id)

    def to_container(self, *, frozen: bool) -> Container:
        """Return the container as others see it."""
        return Container(
            container_id=self.container_id,
            status=self._status(frozen=frozen),
            pid=self.init.pid if self.init and self.exit is None else None,
            started_at_ns=self.started_at_ns,
            socket_dir=self.socket_dir,
            degraded=self.degraded,
            ran_out_of_memory=self.ran_out_of_memory,
            health=self.health_status,
            health_message=self.health_message,
            health_check=self.health,
            exit=self.exit,
        )

    def _status(self, *, frozen: bool) -> ContainerStatus:
        if self.exit is not None:
            return ContainerStatus.EXITED
        if frozen:
            return ContainerStatus.PAUSED
        if self.phase is Phase.RUNNING:
            return ContainerStatus.RUNNING
        return ContainerStatus.STARTING
