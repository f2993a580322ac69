"""Ids of jobs, and the keys that stand for them."""

from __future__ import annotations

from services.gateway.domain import job_identity
from shared.idempotency.key import RequestKey, using


def _under(key: str) -> str:
    with using(RequestKey(key)):
        return job_identity.new_id()


def test_without_a_key_each_is_new() -> None:
    """Requests without a key are jobs of their own."""
    assert job_identity.new_id() != job_identity.new_id()


def test_a_key_gives_one_id() -> None:
    """The same key is the same job, another key another."""
    assert _under("k") == _under("k") != _under("l")
    assert len(_under("k")) == len(job_identity.new_id())
