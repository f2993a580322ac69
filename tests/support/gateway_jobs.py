"""Jobs as the gateway's tests need them: what they tell, and secrets that can be looked at."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from typing import Any

from services.gateway.ports import Told
from shared import errdefs
from shared.contracts.job import (
    BeginJob,
    Job,
    JobEnded,
    JobKind,
    JobProgress,
    JobReply,
    JobState,
    Sealed,
)


def job(job_id: str = "j1", **more: Any) -> Job:
    """Return a queued pull."""
    return Job(
        **{
            "job_id": job_id,
            "kind": JobKind.PULL,
            "state": JobState.QUEUED,
            "name": "p:latest",
            "remote": "docker.io/library/p:latest",
            "created_at_ns": 1,
            **more,
        }
    )


def begun(command: BeginJob) -> JobReply:
    """Answer BeginJob as a store does that has nothing against it."""
    request = command.request
    return JobReply(
        job=job(command.job_id, kind=request.kind, name=request.name, remote=request.remote)
    )


def waiting(layer: str = "0123456789ab") -> JobProgress:
    """Return a step about a layer."""
    return JobProgress(status="Waiting", id=layer)


class FakeVault:
    """A ports.Vault whose boxes anybody can open."""

    answer_key = "the gateway's key"

    def __init__(self) -> None:
        self.error: Exception | None = None

    def seal(self, secret: bytes, subject: str) -> Sealed:
        """Put both into the box."""
        if self.error is not None:
            raise self.error
        return Sealed(box=base64.b64encode(subject.encode() + b"\0" + secret).decode())

    def seal_to(self, key: str, secret: bytes, subject: str) -> Sealed:
        """Put all three into the box."""
        return Sealed(box=f"{key}|{subject}|{secret.decode()}")

    def seal_secret(self, secret: bytes, subject: str) -> Sealed:
        """Put both into the box, as well."""
        return self.seal(secret, subject)

    def open(self, sealed: Sealed, subject: str) -> bytes:
        """Take the secret out, if it is for the subject."""
        bound_to, _, secret = base64.b64decode(sealed.box).partition(b"\0")
        assert bound_to == subject.encode()
        return secret


class FakeFollower:
    """A ports.JobFollower of one job, which tells what the test says."""

    def __init__(self) -> None:
        #: None: the bus loses its data.
        self._told: list[JobProgress | JobEnded | None] = []
        self._news = asyncio.Event()
        #: How many follow at the moment, and from where they began.
        self.readers = 0
        self.positions: list[str] = []
        #: The jobs that were followed.
        self.job_ids: list[str] = []

    def tell(self, *messages: JobProgress | JobEnded) -> None:
        """Have the job tell these."""
        self._told += messages
        self._wake()

    def lose(self) -> None:
        """Lose what was told."""
        self._told = [None]
        self._wake()

    async def follow(self, job_id: str, after: str = "") -> AsyncGenerator[Told, None]:
        """Yield what was told and is told; positions count from 1."""
        self.job_ids.append(job_id)
        self.positions.append(after)
        number = int(after.partition("-")[0]) if after else 0
        self.readers += 1
        try:
            while True:
                if self._told == [None]:
                    self._told = []
                    raise errdefs.Unavailable("the message bus lost the job's progress")
                for message in self._told[number:]:
                    assert message is not None
                    number += 1
                    yield Told(position=f"{number}-0", message=message)
                    if isinstance(message, JobEnded):
                        return
                await self._news.wait()
        finally:
            self.readers -= 1

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
