"""What an earlier gateway left in the spool."""

from __future__ import annotations

import asyncio
from pathlib import Path

from services.gateway.adapters.spool import FolderSpool
from services.gateway.service.leftovers import Leftovers
from shared import errdefs
from shared.contracts.health import CheckHealth, ServiceHealth
from tests.support.bus import FakeSender
from tests.support.wait import eventually


def _health(lag: int, pending: int) -> ServiceHealth:
    return ServiceHealth(
        service="store",
        node="n",
        version="1",
        pid=1,
        started_at_ns=0,
        healthy=True,
        lag=lag,
        pending=pending,
    )


async def test_a_context_goes_when_the_store_is_done(tmp_path: Path) -> None:
    """It stays while the store is away, or has something to read; one that comes later stays."""
    spool = FolderSpool(tmp_path, limit=10)
    (old := tmp_path / "context-old.tar").touch()
    sender = FakeSender({CheckHealth: errdefs.Unavailable("away")})
    sweeping = asyncio.create_task(Leftovers(sender=sender, spool=spool, retry_s=0).run())
    for answer in (_health(1, 0), _health(0, 1)):
        await eventually(lambda: sender.calls)
        assert old.exists()
        sender.answers[CheckHealth] = answer
        sender.calls.clear()
    (new := tmp_path / "context-new.tar").touch()
    sender.answers[CheckHealth] = _health(0, 0)
    await sweeping
    assert (old.exists(), new.exists()) == (False, True)


async def test_nobody_is_asked_for_nothing(tmp_path: Path) -> None:
    """A gateway that finds nothing asks nobody."""
    sender = FakeSender()
    await Leftovers(sender=sender, spool=FolderSpool(tmp_path, limit=10)).run()
    assert sender.calls == []
