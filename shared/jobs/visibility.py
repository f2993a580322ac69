"""A worker's sign of life for the messages it works on.

Celery on Redis hands a message to another worker when it was not settled within the visibility
timeout, however alive its worker is. This keeps a living worker's messages, so that the timeout
can be short and a killed worker's messages soon come back.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import Celery, bootsteps
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger()


class VisibilityHeartbeat(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Renew the messages in hand four times within each visibility timeout."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Begin to renew; called again after each reconnection."""
        interval_s = parent.task_consumer.channel.visibility_timeout / 4
        self._timer = parent.timer.call_repeatedly(interval_s, _renew, (parent,))

    def stop(self, parent: Any) -> None:
        """Stop renewing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    shutdown = stop


def add_to(app: Celery) -> None:
    """Have workers of *app* renew their messages."""
    steps: set[Any] = app.steps["consumer"]
    steps.add(VisibilityHeartbeat)


def _renew(consumer: Any) -> None:
    qos = consumer.task_consumer.channel.qos
    now = time.time()
    # kombu's own name for what was delivered and not settled.
    held = dict.fromkeys(list(qos._delivered), now)  # noqa: SLF001 - a test sees that it is kept
    if not held:
        return
    try:
        with qos.channel.conn_or_acquire() as client:
            # Only those that are still there: what was settled meanwhile stays settled.
            client.zadd(qos.unacked_index_key, held, xx=True)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("messages in hand not renewed", count=len(held), reason=str(error))
