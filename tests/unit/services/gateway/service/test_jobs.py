"""Jobs as clients begin them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.gateway.domain.auth_config import AuthConfig
from services.gateway.service.jobs import Jobs
from shared import errdefs
from shared.contracts.job import BeginJob, JobKind, JobReply, JobRequest, JobState
from shared.contracts.message import Message
from tests.support.bus import FakeSender
from tests.support.gateway_jobs import FakeVault, job

_AWAY = errdefs.Unavailable("Redis does not answer: try again")


async def test_a_job_whose_begin_was_not_answered_is_begun_again() -> None:
    """It may run already: by its id it is found, and nobody is told to try again in vain."""
    known = job(state=JobState.RUNNING)
    request = JobRequest(kind=JobKind.PULL, name=known.name, remote=known.remote)
    answers: Iterator[Message | Exception] = iter([_AWAY, _AWAY, JobReply(job=known)])
    sender = FakeSender({BeginJob: lambda _: next(answers)})

    begun = await Jobs(sender=sender, vault=FakeVault()).begin(
        known.job_id, request, AuthConfig.from_header("")
    )

    assert begun == known
    assert {command.job_id for command in sender.sent if isinstance(command, BeginJob)} == {
        known.job_id
    }


async def test_a_store_that_stays_away_is_told_of() -> None:
    """After some tries the client hears it."""
    sender = FakeSender({BeginJob: _AWAY})
    request = JobRequest(kind=JobKind.PULL, name="p:latest", remote="host/p:v1")

    with pytest.raises(errdefs.Unavailable, match="try again"):
        await Jobs(sender=sender, vault=FakeVault()).begin(
            "j1", request, AuthConfig.from_header("")
        )
