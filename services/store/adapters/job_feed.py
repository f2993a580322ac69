"""ports.JobFeed over the progress streams of the bus."""

from __future__ import annotations

from shared import errdefs
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.contracts.job import JobEnded, JobProgress
from shared.contracts.message import Message
from shared.contracts.store import Changed


class BusJobFeed:
    """The progress stream that whoever waits for a job follows."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    async def tell(self, job_id: str, line: str) -> None:
        """Tell how far a job is; raises Unavailable when Redis is away."""
        await self._write(job_id, JobProgress(status=line))

    async def tell_done(self, job_id: str, changed: Changed) -> None:
        """Tell that a job went well without a worker; raises Unavailable when Redis is away."""
        await self._write(job_id, JobEnded(changed=changed))

    async def tell_failed(self, job_id: str, error: errdefs.Error) -> None:
        """Tell that a job failed without a worker; raises Unavailable when Redis is away."""
        await self._write(job_id, JobEnded(error=error.to_wire()))

    async def _write(self, job_id: str, message: Message) -> None:
        progress = Progress(bus=self._bus, job_id=job_id)
        await progress.write(message, final=isinstance(message, JobEnded))
