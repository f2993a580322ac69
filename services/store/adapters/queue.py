"""ports.JobQueue and ports.JobFeed: the node's Celery queue, and its progress streams."""

from __future__ import annotations

import asyncio

from shared import errdefs
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.contracts.job import JobEnded
from shared.node.config import NodeConfig


class CeleryQueue:
    """The queue of the node's pull workers."""

    def __init__(self, node: NodeConfig) -> None:
        self._node = node

    async def enqueue(self, job_id: str) -> None:
        """Have a worker take the job; raises Unavailable when the queue does not answer."""
        await asyncio.to_thread(self._enqueue, job_id)

    def _enqueue(self, job_id: str) -> None:
        # Imported late: Celery costs a store that runs no jobs half a second and 20 MB.
        from shared.jobs import queue

        queue.enqueue(self._node, job_id)


class BusJobFeed:
    """The progress stream that whoever waits for a job follows."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    async def tell_failed(self, job_id: str, error: errdefs.Error) -> None:
        """Tell that a job failed without a worker."""
        progress = Progress(bus=self._bus, job_id=job_id)
        await progress.write(JobEnded(error=error.to_wire()), final=True)
