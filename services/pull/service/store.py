"""Questions to the store on behalf of one job, asked until they are answered."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from services.pull.service.pace import STEADY, Pace
from shared import errdefs
from shared.bus.ports import Sender
from shared.contracts import job as contracts
from shared.contracts.job import Job, JobState, JobTaken, StagedBlob
from shared.contracts.message import Command, Message
from shared.contracts.plugin import Signer
from shared.contracts.store import Changed

R = TypeVar("R", bound=Message)

log = structlog.get_logger()

#: How a job that somebody wished ended fails.
CANCELLED: Final = "the job was cancelled"
_ANSWER_S: Final = 15.0
#: Moving a big tree into place waits for the disk.
_COMMIT_S: Final = 120.0
#: How often one step is asked for while the store is away; then the job fails.
_TRIES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStore:
    """The store's side of one attempt at a job. Every step is safe to repeat."""

    sender: Sender
    job_id: str
    token: int
    pace: Pace = STEADY
    #: Set with the step that ends the job: from then on the store alone knows whether it is over,
    #: and the token may be stale because it is.
    is_ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self, digests: tuple[str, ...]) -> frozenset[str]:
        """Keep blobs from the collector until the job ends, and return those that exist."""
        command = contracts.KeepBlobs(job_id=self.job_id, token=self.token, digests=digests)
        return frozenset((await self._ask(command)).digests)

    async def commit_blobs(self, blob: StagedBlob, *others: StagedBlob) -> None:
        """Make verified files blobs."""
        await self._ask(
            contracts.CommitBlob(job_id=self.job_id, token=self.token, blob=blob, others=others)
        )

    async def commit_plugin(
        self,
        *,
        config: str,
        config_digest: str,
        manifest_digest: str,
        layers: tuple[str, ...],
        signers: tuple[Signer, ...],
        blobs: tuple[StagedBlob, ...],
    ) -> Changed:
        """End the job: what was staged is the plugin's from now on, and *blobs* are blobs."""
        command = contracts.CommitPlugin(
            job_id=self.job_id,
            token=self.token,
            config=config,
            config_digest=config_digest,
            manifest_digest=manifest_digest,
            layer_digests=layers,
            signers=signers,
            blobs=blobs,
        )
        self.is_ending.set()
        # The store answers a repeat by the message's id: the job itself is over by then.
        message_id = f"{self.job_id}-{self.token}-commit"
        return await self._ask(command, timeout_s=_COMMIT_S, message_id=message_id)

    async def finish_push(self) -> None:
        """End a push that succeeded."""
        self.is_ending.set()
        await self._ask(contracts.FinishPush(job_id=self.job_id, token=self.token))

    async def fail(self, error: errdefs.Error) -> None:
        """End the job with an error; raises Conflict when it is somebody else's by now."""
        command = contracts.FailJob(job_id=self.job_id, token=self.token, error=error.to_wire())
        await self._ask(command)

    async def how_it_ended(self) -> Job | None:
        """Return the job where it is over; None while it is not, or nobody can say."""
        try:
            job = (await self._ask(contracts.GetJob(job_id=self.job_id))).job
        except errdefs.Error:
            return None
        return job if job.state in (JobState.DONE, JobState.FAILED) else None

    async def renew(self) -> contracts.JobLease:
        """Renew the lease, asked once; raises Conflict when the job is somebody else's by now."""
        command = contracts.RenewJob(job_id=self.job_id, token=self.token)
        return await self.sender.send(command, timeout_s=_ANSWER_S)

    async def _ask(self, command: Command[R], **options: Any) -> R:
        return await ask(self.sender, command, pace=self.pace, **options)


async def take(sender: Sender, job_id: str, worker: str, pace: Pace = STEADY) -> JobTaken:
    """Take a job; raises Conflict or NotFound when it is not to be had."""
    # The store knows a repeat by its id: without, this worker would stand in its own way.
    message_id = f"{job_id}-take-{secrets.token_hex(8)}"
    command = contracts.TakeJob(job_id=job_id, worker=worker)
    return await ask(sender, command, message_id=message_id, pace=pace)


async def ask(
    sender: Sender,
    command: Command[R],
    *,
    timeout_s: float = _ANSWER_S,
    message_id: str | None = None,
    pace: Pace = STEADY,
) -> R:
    """Send a command that may be repeated, again and again while the store is away.

    Raises the store's error; Unavailable or DeadlineExceeded when it stayed away.
    """
    pause_s = pace.first_retry_s
    for _ in range(_TRIES - 1):
        try:
            return await _send(sender, command, timeout_s, message_id)
        except (errdefs.Unavailable, errdefs.DeadlineExceeded) as error:
            log.warning("store asked again", command=command.TYPE, reason=error.message)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, pace.longest_retry_s)
    return await _send(sender, command, timeout_s, message_id)


async def _send(sender: Sender, command: Command[R], timeout_s: float, message_id: str | None) -> R:
    options: dict[str, Any] = {"message_id": message_id} if message_id else {}
    return await sender.send(command, timeout_s=timeout_s, **options)
