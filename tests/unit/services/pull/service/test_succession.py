"""What a pull process does with the jobs of the one before it."""

from __future__ import annotations

import pytest

from services.pull.service.succession import Succession
from shared import errdefs
from shared.contracts.job import Job, JobKind, JobList, JobState, ListJobs
from shared.contracts.message import Message
from shared.telemetry import context
from tests.support.bus import FakeSender


class Queue:
    """A ports.JobQueue that keeps ids."""

    def __init__(self) -> None:
        self.queued: list[str] = []
        #: The trace that each was queued in.
        self.traces: list[str] = []

    async def enqueue(self, job_id: str, *, is_patient: bool = False) -> None:
        """Keep the id."""
        self.queued.append(job_id)
        self.traces.append(context.traceparent())


def job(job_id: str, state: JobState) -> Job:
    """Return a job of which only the state matters."""
    return Job(job_id=job_id, kind=JobKind.PULL, state=state, name="p", remote="r", created_at_ns=0)


async def test_jobs_that_are_not_over_are_queued_again() -> None:
    """What another process had in its hands, or its message, is queued; what is over is not."""
    jobs = tuple(job(state.value, state) for state in JobState)
    queue = Queue()

    await Succession(sender=FakeSender({ListJobs: JobList(jobs=jobs)}), queue=queue).run()

    assert queue.queued == ["queued", "running"]


async def test_a_job_goes_on_in_its_trace() -> None:
    """A job is queued again in the trace that it began in, one without a trace in none."""
    began = f"00-{'a' * 32}-{'b' * 16}-01"
    traced = job("j", JobState.RUNNING).model_copy(update={"traceparent": began})
    jobs = (traced, job("k", JobState.RUNNING))
    queue = Queue()

    await Succession(sender=FakeSender({ListJobs: JobList(jobs=jobs)}), queue=queue).run()

    assert queue.traces == [began, ""]


@pytest.mark.parametrize(
    "error",
    [errdefs.Unavailable, errdefs.DeadlineExceeded, errdefs.ResourceExhausted, errdefs.Internal],
)
async def test_a_store_that_does_not_tell_is_asked_again(error: type[errdefs.Error]) -> None:
    """The jobs are taken up as soon as the store answers, whatever it said before."""
    answers: list[Message | Exception] = [
        error("away"),
        JobList(jobs=(job("j", JobState.RUNNING),)),
    ]
    queue = Queue()

    await Succession(
        sender=FakeSender({ListJobs: lambda _command: answers.pop(0)}), queue=queue
    ).run()

    assert queue.queued == ["j"]
