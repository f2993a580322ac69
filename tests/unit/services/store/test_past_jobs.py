"""Jobs that are over, as they are kept in memory."""

from __future__ import annotations

from services.store.domain import job
from services.store.domain.job import KEPT_NS, JobRecord
from services.store.service.past_jobs import PastJobs
from shared.contracts.job import JobKind, JobRequest, JobState

_DIGEST = f"sha256:{'a' * 64}"


def _done(job_id: str, *, at_ns: int = 1, batch_id: str = "") -> JobRecord:
    request = JobRequest(kind=JobKind.PREFETCH, name="n", remote="r:1", batch_id=batch_id)
    begun = job.begun(job_id, request, "", at_ns).model_copy(update={"blobs": (_DIGEST,)})
    return job.done(begun, at_ns + 1)


def test_a_record_comes_back_as_it_was() -> None:
    """What is read is equal to what was put, and what was never put is not there."""
    past, record = PastJobs(), _done("j")
    past.put(record)

    assert past.get("j") == record
    assert list(past.all()) == [record]
    assert past.counts() == {(JobKind.PREFETCH, JobState.DONE): 1}
    assert past.get("other") is None


def test_a_week_later_a_job_is_forgotten() -> None:
    """A job goes when one ends that was over a week after it began."""
    past = PastJobs()
    past.put(_done("old"))
    past.put(_done("young", at_ns=KEPT_NS))
    assert past.get("old") is not None

    past.put(_done("new", at_ns=KEPT_NS + 10))

    assert [record.job.job_id for record in past.all()] == ["young", "new"]


def test_blobs_of_a_batch_are_kept_for_their_time() -> None:
    """Only what a batch fetched stays after its job, and not for ever."""
    past, record = PastJobs(), _done("batched", batch_id="b")
    past.put(record)
    past.put(_done("alone"))

    assert list(past.blobs(record.blobs_until_ns - 1)) == [_DIGEST]
    assert list(past.blobs(record.blobs_until_ns)) == []
