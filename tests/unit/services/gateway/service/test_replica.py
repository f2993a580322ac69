"""The read replica."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.gateway.ports import Lost
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.store import GetInventory, Inventory
from tests.support.bus import FakeSender
from tests.support.gateway import FakeChanges, changed, plugin, reply, snapshot
from tests.support.wait import eventually


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    replica: Replica
    changes: FakeChanges
    sender: FakeSender

    @property
    def snapshots(self) -> int:
        return len(self.sender.calls)

    def store_has(self, inventory: Inventory) -> None:
        self.sender.answers[GetInventory] = inventory

    async def reach(self, revision: int) -> None:
        await eventually(lambda: self.replica.inventory.revision == revision)


@pytest.fixture
async def world() -> AsyncIterator[_World]:
    """Run a replica whose store is at revision 4 with one plugin."""
    changes, sender = FakeChanges(), FakeSender({GetInventory: snapshot(4, plugin("a"))})
    replica = Replica(sender=sender, changes=changes, patience_s=0.2, retry_s=0.01)
    running = asyncio.create_task(replica.run())
    yield _World(replica=replica, changes=changes, sender=sender)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _started(world: _World) -> None:
    world.changes.put(Lost())
    await world.reach(4)


async def test_starts_with_a_snapshot(world: _World) -> None:
    """The stream's first word leads to a snapshot, and reads wait for it."""
    waiting = asyncio.create_task(world.replica.ready())
    await asyncio.sleep(0)
    assert not waiting.done()
    world.changes.put(Lost())
    assert (await waiting).resolve("a/plugin").plugin == plugin("a")
    assert world.snapshots == 1


async def test_follows_changes(world: _World) -> None:
    """Changes in order need no other snapshot."""
    await _started(world)
    world.changes.put(changed(5, plugin("b")))
    world.changes.put(changed(6, None, letter="a"))
    await world.reach(6)
    assert world.snapshots == 1


async def test_gap_in_revisions(world: _World) -> None:
    """A revision that was left out leads to a snapshot."""
    await _started(world)
    world.store_has(snapshot(7, plugin("c")))
    world.changes.put(changed(6, plugin("b")))
    await world.reach(7)
    assert list(world.replica.inventory.entries) == [plugin("c").plugin_id]


async def test_new_epoch(world: _World) -> None:
    """A change of another epoch leads to a snapshot."""
    await _started(world)
    world.store_has(snapshot(2, plugin("c"), epoch="epoch-2"))
    world.changes.put(changed(2, plugin("c"), epoch="epoch-2"))
    await world.reach(2)
    assert world.replica.inventory.epoch == "epoch-2"


async def test_refresh_soon(world: _World) -> None:
    """A reconnection leads to a snapshot."""
    await _started(world)
    world.store_has(snapshot(9))
    await world.replica.refresh_soon()
    await world.reach(9)


async def test_store_away(world: _World) -> None:
    """A store that does not answer is asked again, and what was known is shown meanwhile."""
    await _started(world)
    world.sender.answers[GetInventory] = errdefs.Unavailable("away")
    world.changes.put(Lost())
    await eventually(lambda: world.snapshots > 3)
    assert (await world.replica.ready()).revision == 4
    world.store_has(snapshot(5))
    await world.reach(5)


async def test_ready_gives_up(world: _World) -> None:
    """Without a snapshot a read is refused after a while, saying why."""
    with pytest.raises(errdefs.Unavailable, match="the store has not answered"):
        await world.replica.ready()


async def test_settle_applies_the_reply_at_once(world: _World) -> None:
    """What a verb changed is shown before the stream tells of it, and is not doubled then."""
    await _started(world)
    change = changed(5, plugin("a", enabled=True))
    await world.replica.settle(reply(change))
    assert world.replica.inventory.resolve("a/plugin").plugin.enabled
    world.changes.put(change)
    world.changes.put(changed(6, plugin("b")))
    await world.reach(6)
    assert world.snapshots == 1


async def test_settle_waits_for_a_revision_without_changes(world: _World) -> None:
    """A reply that brings no changes is handed on when the stream has reached its revision."""
    await _started(world)
    settling = asyncio.create_task(world.replica.settle(reply(revision=5)))
    await asyncio.sleep(0)
    assert not settling.done()
    world.changes.put(changed(5, plugin("b")))
    await settling
    assert world.replica.inventory.revision == 5


async def test_settle_in_a_new_epoch(world: _World) -> None:
    """A reply of another epoch is handed on when a snapshot of that has come."""
    await _started(world)
    world.store_has(snapshot(3, plugin("c"), epoch="epoch-2"))
    await world.replica.settle(reply(changed(3, plugin("c"), epoch="epoch-2"), epoch="epoch-2"))
    assert world.replica.inventory.resolve("c/plugin").plugin == plugin("c")


async def test_settle_does_not_fail_a_verb_that_succeeded(world: _World) -> None:
    """A revision that does not come in time is logged, for the verb itself was done."""
    await _started(world)
    await world.replica.settle(reply(revision=99))
    assert world.replica.inventory.revision == 4
