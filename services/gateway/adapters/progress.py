"""ports.JobFollower: the progress streams on the bus."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import structlog
from pydantic import ValidationError

from services.gateway.ports import Told
from shared.bus.envelope import Envelope
from shared.bus.position import START
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.contracts.job import JobEnded, JobProgress

log = structlog.get_logger()


class StreamFollower:
    """Reads each job's stream with a connection of its own."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    async def follow(self, job_id: str, after: str = "") -> AsyncGenerator[Told, None]:
        """Yield what the job tells, JobEnded last."""
        progress = Progress(bus=self._bus, job_id=job_id)
        async with contextlib.aclosing(progress.follow(after or START)) as messages:
            async for envelope, position in messages:
                if (message := _read(envelope)) is not None:
                    yield Told(position=position, message=message)


def _read(envelope: Envelope) -> JobProgress | JobEnded | None:
    try:
        if envelope.message_type == JobEnded.TYPE:
            return envelope.read(JobEnded)
        if envelope.message_type == JobProgress.TYPE:
            return envelope.read(JobProgress)
    except ValidationError:
        log.exception("unreadable progress", id=envelope.message_id)
    return None
