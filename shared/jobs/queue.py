"""The client's end of a node's queue of jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

from shared import errdefs
from shared.contracts.job import RunJob
from shared.jobs import tracing
from shared.telemetry import context

if TYPE_CHECKING:
    from celery import Celery


class Priority(IntEnum):
    """Which jobs are taken first; Redis keeps a list for each."""

    #: A person waits for it.
    PERSON = 0
    #: A batch is patient.
    BATCH = 6


class JobQueue:
    """Puts jobs on a node's queue.

    Celery is imported at the first job, for a process that stands alone; a node's parent has
    imported it before it forks, so that its services share the memory.
    """

    def __init__(
        self, *, redis_url: str, node: str, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._redis_url = redis_url
        self._clock = clock
        self._node = node
        self._app: Celery | None = None
        self._making = asyncio.Lock()

    async def enqueue(self, job_id: str, *, is_patient: bool = False) -> None:
        """Have a worker run the job, in the current trace; a patient one waits behind the others.

        A repeat makes a second message, which the store's fencing renders harmless. Raises
        Unavailable when Redis does not answer, or refuses.
        """
        async with self._making:
            self._app = self._app or await asyncio.to_thread(self._make)
        priority = Priority.BATCH if is_patient else Priority.PERSON
        with tracing.sending(self._node, job_id):
            headers = {"trace": context.carrier(), "queued_at_ns": self._clock()}
            await asyncio.to_thread(self._send, self._app, job_id, priority, headers)

    async def close(self) -> None:
        """Close the connections; a later enqueue opens new ones."""
        if self._app is not None:
            await asyncio.to_thread(self._app.close)
            self._app = None

    def _make(self) -> Celery:
        from shared.jobs.app import make_app

        return make_app(redis_url=self._redis_url, node=self._node)

    @staticmethod
    def _send(app: Celery, job_id: str, priority: Priority, headers: Mapping[str, object]) -> None:
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        try:
            app.send_task(
                RunJob.TYPE,
                kwargs=RunJob(job_id=job_id).model_dump(),
                priority=int(priority),
                headers=dict(headers),
            )
        except (OperationalError, RedisError, OSError) as error:
            reason = error.args[0] if error.args else type(error).__name__
            raise errdefs.Unavailable(
                f"job {job_id} could not be queued, Redis says: {reason}; see that it runs and "
                "takes what this service sends, then try again"
            ) from error
