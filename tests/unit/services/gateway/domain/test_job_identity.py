"""Ids of jobs, and the keys that stand for them."""

from __future__ import annotations

import pytest

from services.gateway.domain import job_identity
from shared import errdefs
from shared.contracts.job import JobKind, JobRequest
from tests.support.gateway_jobs import job


def test_without_a_key_each_is_new() -> None:
    """Requests without a key are jobs of their own."""
    assert job_identity.new_id() != job_identity.new_id()


def test_a_key_gives_one_id() -> None:
    """The same key is the same job, another key another."""
    assert job_identity.new_id("k") == job_identity.new_id("k") != job_identity.new_id("l")
    assert len(job_identity.new_id("k")) == len(job_identity.new_id())


@pytest.mark.parametrize("change", [{"kind": JobKind.PUSH}, {"name": "q:latest"}, {"remote": "q"}])
def test_a_key_for_something_else(change: dict[str, str]) -> None:
    """A key that was used for another request is refused, naming its job."""
    found = job("j1")
    same = JobRequest(kind=found.kind, name=found.name, remote=found.remote)
    job_identity.check_same(found, same)
    with pytest.raises(errdefs.Conflict, match="job j1"):
        job_identity.check_same(found, same.model_copy(update=change))
