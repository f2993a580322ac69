"""ports.JobFeed over the progress streams of the bus."""

from __future__ import annotations

from shared import errdefs
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.contracts.job import JobEnded


class BusJobFeed:
    """The progress stream that whoever waits for a job follows."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    async def tell_failed(self, job_id: str, error: errdefs.Error) -> None:
        """Tell that a job failed without a worker; raises Unavailable when Redis is away."""
        progress = Progress(bus=self._bus, job_id=job_id)
        await progress.write(JobEnded(error=error.to_wire()), final=True)
