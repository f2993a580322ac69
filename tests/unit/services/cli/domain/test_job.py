"""Jobs as a person sees them."""

from __future__ import annotations

import pytest

from services.cli.domain.job import Job, Step, listed
from tests.support.cli_jobs import job


def test_read() -> None:
    """A job and a step are read from what the gateway says, and what it leaves out is unknown."""
    shown = {
        "job_id": "j1",
        "kind": "pull",
        "state": "queued",
        "name": "p:latest",
        "remote": "docker.io/library/p:latest",
        "attempt": 1,
        "created_at_ns": 10**9,
    }
    assert Job.from_json(shown) == job()
    assert Step.from_json({"position": "1-0"}) == Step(position="1-0")


@pytest.mark.parametrize(
    ("state", "cancelled", "shown"),
    [
        ("running", False, "running"),
        ("running", True, "being cancelled"),
        ("failed", True, "cancelled"),
        ("done", True, "done"),
    ],
)
def test_state(state: str, cancelled: bool, shown: str) -> None:
    """A wish to end a job shows, unless the job was faster."""
    assert job(state, cancelled=cancelled).shown_state == shown


def test_listed() -> None:
    """A table has a row per job, with its age."""
    heading, row = listed([job()], 61 * 10**9).splitlines()
    assert heading.split() == ["JOB", "KIND", "STATE", "PLUGIN", "REMOTE", "AGE"]
    assert row.split() == ["j1", "pull", "queued", "p:latest", "docker.io/library/p:latest", "1m0s"]


def test_shown() -> None:
    """A job that failed says when, after how long, and why."""
    text = job("failed", finished_at_ns=3 * 10**9, error={"message": "no such plugin"}).to_text()
    assert "finished  1970-01-01T00:00:03Z, after 2s" in text
    assert "error     no such plugin" in text
