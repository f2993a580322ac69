"""What is published of containers, and published again when the bus refused it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from services.executor.domain.record import Record
from shared import errdefs
from shared.bus.ports import Publisher
from shared.contracts.executor import (
    ContainerExited,
    ContainerObserved,
    ExecutorStarted,
    HealthStatus,
)
from shared.contracts.message import Message
from shared.tasks.background import Tasks, until_done

log = structlog.get_logger()

_VERDICTS = frozenset({HealthStatus.HEALTHY, HealthStatus.UNHEALTHY})
#: The one task that publishes again.
_AGAIN = "publish again"


class Facts:
    """Publishes facts; one that the bus refused is told later, with all that holds by then.

    Redis may refuse for a while, on a full disk for instance, though no connection to it breaks.
    """

    def __init__(self, publisher: Publisher, of_all: Callable[[], Iterable[Message]]) -> None:
        """Take what there is to tell of all containers, made fact by fact."""
        self._publisher = publisher
        self._of_all = of_all
        self._tasks = Tasks()

    async def publish(self, fact: Message) -> None:
        """Publish a fact, or all later."""
        try:
            await self._publish(fact)
        except errdefs.Unavailable as error:
            self._publish_later(fact.TYPE, error)

    async def publish_all(self) -> None:
        """Publish all there is to tell, then that the executor is here; now, or later."""
        await self._tasks.cancel(_AGAIN)  # it would tell the same
        try:
            await self._publish_all()
        except errdefs.Unavailable as error:
            self._publish_later(ExecutorStarted.TYPE, error)

    async def close(self) -> None:
        """Publish nothing later: the next executor does."""
        await self._tasks.cancel_all()

    def _publish_later(self, what: str, error: errdefs.Error) -> None:
        log.warning("not published yet", type=what, error=error.message)
        self._tasks.ensure(_AGAIN, until_done(self._publish_all))

    async def _publish_all(self) -> None:
        for fact in self._of_all():
            await self._publish(fact)
        await self._publish(ExecutorStarted())

    async def _publish(self, fact: Message) -> None:
        message_id = fact.container_id if isinstance(fact, ContainerExited) else None
        await self._publisher.publish(fact, message_id=message_id)


def told_of(record: Record) -> Message | None:
    """Return that a container has ended, or what is wrong with a running one, if anything is."""
    if record.exit is not None:
        return ContainerExited(container_id=record.container_id, exit=record.exit)
    if record.degraded or record.ran_out_of_memory or record.health_status in _VERDICTS:
        return observed(record, record.health_message)
    return None


def observed(record: Record, message: str) -> ContainerObserved:
    """Return a running container's health and whether its supervisor lives."""
    return ContainerObserved(
        container_id=record.container_id,
        degraded=record.degraded,
        health=record.health_status,
        message=message,
    )
