"""Jobs: begun at the store, watched over, cancelled for those who go away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from services.gateway import ports
from services.gateway.domain.auth_config import AuthConfig
from shared import errdefs
from shared.contracts.job import BeginJob, CancelJob, GetJob, Job, JobRequest, ListJobs

#: The job waits its turn behind verbs on the same plugin.
_BEGIN_LIMIT_S: Final = 60.0
_ANSWER_LIMIT_S: Final = 10.0
#: Between tries to begin a job: as long as Redis needs to start again.
_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What clients may have done that takes long.

    All raise what the store answers; Unavailable and DeadlineExceeded when it does not.
    """

    sender: ports.Sender
    vault: ports.Vault

    async def begin(self, job_id: str, request: JobRequest, auth: AuthConfig) -> Job:
        """Have a job queued, its credentials sealed to it; a repeat returns it as it is now.

        Asked again where the bus lost the answer: the job may have begun. Raises Conflict when
        the id is that of a job about something else.
        """
        if not auth.is_anonymous:
            sealed = self.vault.seal(auth.plaintext(), job_id)
            request = request.model_copy(update={"credentials": sealed})
        command = BeginJob(job_id=job_id, request=request)
        return await self._begin(command)

    async def _begin(self, command: BeginJob) -> Job:
        for pause_s in _PAUSES_S:
            try:
                return (await self.sender.send(command, timeout_s=_BEGIN_LIMIT_S)).job
            except errdefs.Unavailable as error:
                log.warning("job begun again", job_id=command.job_id, reason=error.message)
            await asyncio.sleep(pause_s)
        return (await self.sender.send(command, timeout_s=_BEGIN_LIMIT_S)).job

    async def get(self, job_id: str) -> Job:
        """Return a job; raises NotFound."""
        return (await self.sender.send(GetJob(job_id=job_id), timeout_s=_ANSWER_LIMIT_S)).job

    async def list(self) -> tuple[Job, ...]:
        """Return all jobs that are kept, newest first."""
        return (await self.sender.send(ListJobs(), timeout_s=_ANSWER_LIMIT_S)).jobs

    async def cancel(self, job_id: str) -> Job:
        """Wish a job ended; one that is over stays as it is."""
        return (await self.sender.send(CancelJob(job_id=job_id), timeout_s=_ANSWER_LIMIT_S)).job

    async def abandon(self, job_id: str) -> None:
        """Wish a job ended whose client went away, as far as that can be done."""
        log.info("client gone, cancelling its job", job_id=job_id)
        try:
            await self.cancel(job_id)
        except errdefs.Error as error:
            log.warning("job not cancelled", job_id=job_id, reason=error.message)
