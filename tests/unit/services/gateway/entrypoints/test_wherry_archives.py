"""Archives in /wherry/v1: what becomes of one that a job was given."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from shared import errdefs
from shared.contracts.job import BeginJob
from tests.support.gateway_app import AppWorld
from tests.support.gateway_jobs import begun

_ARCHIVE = "a" * 32
_WISH = {"archive_id": _ARCHIVE, "remote": "h:1/p", "digest": f"sha256:{'0' * 64}"}


@pytest.fixture
def work(world: AppWorld) -> Path:
    """Give the folder of what jobs were given, with an archive that is yet to be loaded."""
    (world.staging / f"archive-{_ARCHIVE}.tar").write_bytes(b"x")
    work = world.staging.parent / "work"
    work.mkdir()
    return work


async def _load(world: AppWorld, **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await world.client.post("/wherry/v1/plugins/load", json=_WISH, headers=named)


@pytest.mark.parametrize(
    "error",
    [errdefs.Unavailable, errdefs.DeadlineExceeded, errdefs.Internal],
    ids=lambda error: error.code,
)
async def test_an_answer_that_is_lost(
    world: AppWorld, work: Path, error: type[errdefs.Error]
) -> None:
    """A job that may have begun keeps its archive."""
    world.sender.answers[BeginJob] = error("it may have happened")

    assert (await _load(world)).status_code >= 500

    (command, *_) = world.sender.sent
    assert isinstance(command, BeginJob)
    assert list(work.iterdir()) == [work / f"{command.job_id}.tar"]


async def test_a_refusal(world: AppWorld, work: Path) -> None:
    """A job that was refused has no archive."""
    world.sender.answers[BeginJob] = errdefs.AlreadyExists("the name is taken")

    assert (await _load(world)).status_code == 409

    assert list(work.iterdir()) == []


async def test_a_repeat_that_is_refused(world: AppWorld, work: Path) -> None:
    """What is refused takes nothing from the job that an earlier request with its key began."""
    world.sender.answers[BeginJob] = begun
    job = (await _load(world, Idempotency_Key="k")).json()
    world.sender.answers[BeginJob] = errdefs.Conflict("the key stands for another request")

    assert (await _load(world, Idempotency_Key="k")).status_code == 409

    assert list(work.iterdir()) == [work / f"{job['job_id']}.tar"]
