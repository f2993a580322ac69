"""Jobs that are over: kept for a week, as JSON, a fifth of what their records take in memory."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from services.store.domain import job
from services.store.domain.job import JobRecord
from shared.contracts.job import JobKind, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What is looked at without being asked for, and the whole record."""

    kind: JobKind
    state: JobState
    created_at_ns: int
    #: Digests kept from the collector, which looks after each job, and until when.
    blobs: tuple[str, ...]
    blobs_until_ns: int
    record: bytes

    @classmethod
    def of(cls, record: JobRecord) -> _Past:
        return cls(
            kind=record.job.kind,
            state=record.job.state,
            created_at_ns=record.job.created_at_ns,
            # The jobs of a batch fetched the same.
            blobs=tuple(map(sys.intern, record.blobs)) if record.blobs_until_ns else (),
            blobs_until_ns=record.blobs_until_ns,
            record=record.model_dump_json().encode(),
        )

    def read(self) -> JobRecord:
        return JobRecord.model_validate_json(self.record)


class PastJobs:
    """The jobs of a week that are over."""

    def __init__(self) -> None:
        self._kept: dict[str, _Past] = {}

    def put(self, record: JobRecord) -> None:
        """Keep a job that is over, and drop those that the database drops now."""
        self._kept[record.job.job_id] = _Past.of(record)
        self._drop_before((record.job.finished_at_ns or 0) - job.KEPT_NS)

    def get(self, job_id: str) -> JobRecord | None:
        """Return a job."""
        past = self._kept.get(job_id)
        return None if past is None else past.read()

    def all(self) -> Iterator[JobRecord]:
        """Yield all jobs."""
        for past in self._kept.values():
            yield past.read()

    def counts(self) -> Counter[tuple[JobKind, JobState]]:
        """Return how many there are of each kind and state."""
        return Counter((past.kind, past.state) for past in self._kept.values())

    def blobs(self, now_ns: int) -> Iterator[str]:
        """Yield the digests that they still keep from the collector."""
        for past in self._kept.values():
            if now_ns < past.blobs_until_ns:
                yield from past.blobs

    def _drop_before(self, before_ns: int) -> None:
        old = [job_id for job_id, past in self._kept.items() if past.created_at_ns < before_ns]
        for job_id in old:
            del self._kept[job_id]
