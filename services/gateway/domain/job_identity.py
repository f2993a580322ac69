"""Which job a request is: one of its own, or the one that an idempotency key stands for."""

from __future__ import annotations

import hashlib
import secrets

from shared import errdefs
from shared.contracts.job import Job, JobRequest

_ID_BYTES = 16


def new_id(idempotency_key: str = "") -> str:
    """Return the id of a new job; the same key always gives the same id."""
    if not idempotency_key:
        return secrets.token_hex(_ID_BYTES)
    return hashlib.sha256(f"wherry job\0{idempotency_key}".encode()).hexdigest()[: 2 * _ID_BYTES]


def check_same(job: Job, request: JobRequest) -> None:
    """Raise Conflict when the job that was found is about something else than the request."""
    if (job.kind, job.name, job.remote) != (request.kind, request.name, request.remote):
        raise errdefs.Conflict(
            f"this idempotency key belongs to job {job.job_id}, which is a {job.kind} of "
            f"{job.name} ({job.remote}); use another key for another request",
            detail={"job": job.job_id},
        )
