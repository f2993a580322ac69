"""Questions to the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.pull.service import store
from services.pull.service.pace import Pace
from services.pull.service.store import JobStore
from shared import errdefs
from shared.contracts import job as contracts
from shared.contracts.job import JobKind, JobRequest, JobTaken
from shared.contracts.message import Done, Message
from shared.contracts.store import Changed
from tests.support.bus import FakeSender

_PACE = Pace(first_retry_s=0.0, longest_retry_s=0.0)


async def test_a_store_that_comes_back_is_asked_again() -> None:
    """Steps are safe to repeat, so an answer that got lost costs nothing but time."""
    answers: Iterator[Message | Exception] = iter(
        [errdefs.Unavailable("away"), errdefs.DeadlineExceeded("slow"), Done()]
    )
    sender = FakeSender({contracts.FinishPush: lambda _: next(answers)})
    await JobStore(sender=sender, job_id="j", token=1, pace=_PACE).finish_push()
    assert len(sender.calls) == 3


async def test_a_store_that_stays_away_fails_the_step() -> None:
    """Sooner or later somebody is told."""
    sender = FakeSender({contracts.FinishPush: errdefs.Unavailable("away")})
    with pytest.raises(errdefs.Unavailable):
        await JobStore(sender=sender, job_id="j", token=1, pace=_PACE).finish_push()
    assert len(sender.calls) > 5


async def test_a_refusal_is_not_argued_with() -> None:
    """The store's error comes at once."""
    sender = FakeSender({contracts.TakeJob: errdefs.Conflict("taken")})
    with pytest.raises(errdefs.Conflict):
        await store.take(sender, "j", "w")
    assert len(sender.calls) == 1


async def test_repeats_of_a_take_are_one_message() -> None:
    """A worker whose answer got lost gets the job, not the lease that it holds itself."""
    asked = JobRequest(kind=JobKind.PULL, name="p", remote="r/p")
    taken = JobTaken(token=1, request=asked, attempt=1)
    answers: Iterator[Message | Exception] = iter([errdefs.DeadlineExceeded("slow"), taken, taken])
    sender = FakeSender({contracts.TakeJob: lambda _: next(answers)})

    assert await store.take(sender, "j", "w") == taken
    await store.take(sender, "j", "w")

    first, repeat, second = (call.message_id for call in sender.calls)
    assert first == repeat
    assert first != second


async def test_repeats_of_the_last_step_are_one_message() -> None:
    """The job is over by then, so the store knows a repeat by its id alone."""
    answers: Iterator[Message | Exception] = iter(
        [errdefs.DeadlineExceeded("slow"), Changed(epoch="e", revision=1)]
    )
    sender = FakeSender({contracts.CommitPlugin: lambda _: next(answers)})
    await JobStore(sender=sender, job_id="j", token=4, pace=_PACE).commit_plugin(
        config="{}", config_digest="", manifest_digest="", layers=(), signers=(), blobs=()
    )
    assert [call.message_id for call in sender.calls] == ["j-4-commit"] * 2
