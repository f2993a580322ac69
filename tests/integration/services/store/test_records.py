"""The store's tables on a real file."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.store.adapters.records import MIGRATIONS, SqliteRecords
from services.store.domain.operation import Change, Kind, Operation, Unit, Unsynced
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.store import Fact, PluginChanged
from shared.sqlite import Database


def plugin(number: int, name: str = "") -> Plugin:
    """Return a plugin of which only id and name matter."""
    return Plugin(
        plugin_id=f"{number:064x}",
        name=name or f"p{number}:latest",
        reference="",
        enabled=False,
        config={},
        settings={},
        config_digest="",
        manifest_digest="",
        created_at_ns=0,
    )


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[SqliteRecords]:
    """Return the tables of a new file."""
    database = Database(tmp_path / "store.db", MIGRATIONS)
    await database.open()
    yield SqliteRecords(database, time.time_ns)
    await database.close()


async def test_unit_is_numbered_answered_and_published(records: SqliteRecords) -> None:
    """Each change of a unit is one revision; the reply lies in the inbox, facts in the outbox."""
    fact = Fact(action="create", actor_id=plugin(1).plugin_id, time_ns=5)

    committed = await records.commit(
        Unit(changes=(Change.of(plugin(1), fact), Change.of(plugin(2))), answers="m")
    )

    assert [change.revision for change in committed.changed.changes] == [1, 2]
    assert await records.replied("m") == committed.changed
    published = await records.published_after(0, 10)
    assert [number for number, _ in published] == [1, 2]
    assert PluginChanged.model_validate_json(published[0][1].body).facts == (fact,)
    loaded = await records.load()
    assert {found.plugin_id for found in loaded.plugins} == {
        plugin(1).plugin_id,
        plugin(2).plugin_id,
    }
    assert loaded.revision == await records.last_revision() == 2


async def test_name_is_taken_once(records: SqliteRecords) -> None:
    """A second plugin of a name is refused, and nothing of its unit remains."""
    await records.commit(Unit(changes=(Change.of(plugin(1, "a:latest")),)))

    with pytest.raises(errdefs.AlreadyExists, match="plugin a:latest already exists"):
        await records.commit(
            Unit(changes=(Change.of(plugin(3)), Change.of(plugin(2, "a:latest"))), answers="m")
        )

    assert await records.last_revision() == 1
    assert await records.replied("m") is None
    assert len((await records.load()).plugins) == 1


async def test_plugin_has_one_operation_and_tokens_go_stale(records: SqliteRecords) -> None:
    """A second operation is refused; one that ended can't be ended, or commit, again."""
    begin = Operation(plugin_id=plugin(1).plugin_id, kind=Kind.ENABLE, message_id="m")
    operation = (await records.commit(Unit(begin=begin))).operation
    assert operation is not None

    with pytest.raises(errdefs.Conflict):
        await records.commit(Unit(begin=begin))
    assert (await records.load()).operations == (operation,)
    await records.commit(Unit(end=operation.token))
    with pytest.raises(errdefs.Conflict, match="no longer under way"):
        await records.commit(Unit(changes=(Change.of(plugin(1)),), end=operation.token))

    again = (await records.commit(Unit(begin=begin))).operation
    assert again is not None
    assert again.token > operation.token
    assert not (await records.load()).plugins


async def test_removed_plugin_leaves_its_name_free(records: SqliteRecords) -> None:
    """A removal is a revision of its own, without a record."""
    await records.commit(Unit(changes=(Change.of(plugin(1, "a:latest")),)))

    await records.commit(Unit(changes=(Change(plugin_id=plugin(1).plugin_id, plugin=None),)))
    await records.commit(Unit(changes=(Change.of(plugin(2, "a:latest")),)))

    published = await records.published_after(1, 10)
    changes = [PluginChanged.model_validate_json(message.body) for _, message in published]
    assert [change.plugin is None for change in changes] == [True, False]


async def test_epoch_belongs_to_the_file(tmp_path: Path) -> None:
    """A file that is opened again keeps its epoch; another file has another."""
    epochs = []
    for name in ("a.db", "a.db", "b.db"):
        database = Database(tmp_path / name, MIGRATIONS)
        await database.open()
        epochs.append((await SqliteRecords(database, time.time_ns).load()).epoch)
        await database.close()

    assert epochs[0] == epochs[1] != epochs[2]


async def test_root_file_system_is_noted_until_it_is_on_the_disk(records: SqliteRecords) -> None:
    """A newer one of the plugin takes its place; the sync of the older one takes nothing away."""
    one, old = plugin(1), Unsynced(plugin_id=plugin(1).plugin_id, rootfs="rootfs")
    new = Unsynced(plugin_id=one.plugin_id, rootfs="rootfs-2")
    await records.commit(Unit(changes=(Change.of(one),), unsynced=old))
    assert (await records.load()).unsynced == (old,)
    await records.commit(Unit(changes=(Change.of(one),), unsynced=new))

    await records.synced([old])
    assert (await records.load()).unsynced == (new,)

    await records.synced([new])
    assert (await records.load()).unsynced == ()


async def test_note_of_a_root_file_system_goes_with_its_plugin(records: SqliteRecords) -> None:
    """Nobody rebuilds what was removed."""
    noted = Unsynced(plugin_id=plugin(1).plugin_id, rootfs="rootfs")
    await records.commit(Unit(changes=(Change.of(plugin(1)),), unsynced=noted))

    await records.commit(Unit(changes=(Change(plugin_id=plugin(1).plugin_id, plugin=None),)))

    assert (await records.load()).unsynced == ()
