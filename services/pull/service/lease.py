"""The lease on a job, kept while it is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from services.pull.service.attempt import first_of
from services.pull.service.pace import STEADY, Pace
from services.pull.service.store import CANCELLED, JobStore
from shared import errdefs

log = structlog.get_logger()

_T = TypeVar("_T")


async def held(store: JobStore, work: Awaitable[_T], pace: Pace = STEADY) -> _T:
    """Do the work while the lease is renewed.

    The work is cancelled, and Conflict raised, when the job is somebody else's by now or
    somebody wishes it ended.
    """
    try:
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(_keep(store, pace))
            result = await work
            keeping.cancel()
    except BaseExceptionGroup as errors:
        failed = first_of(errors)
    else:
        return result
    raise failed


async def _keep(store: JobStore, pace: Pace) -> None:
    wait_s = pace.first_renewal_s
    while True:
        await asyncio.sleep(wait_s)
        try:
            lease = await store.renew()
        except (errdefs.Unavailable, errdefs.DeadlineExceeded) as error:
            # Every step that matters carries the token, so going on harms nobody.
            log.warning("lease not renewed", job_id=store.job_id, reason=error.message)
            continue
        except errdefs.Error:
            if store.is_ending.is_set():
                return  # it is over, and the answer that says so is on its way
            raise
        if lease.cancelled and not store.is_ending.is_set():
            raise errdefs.Conflict(CANCELLED)
        wait_s = min(lease.lease_s / 3, pace.longest_renewal_s)
