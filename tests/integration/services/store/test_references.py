"""Leases in a real database: they outlive the store, end in time, and go with their plugin."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.store.adapters.records import MIGRATIONS, SqliteRecords
from services.store.domain.operation import Change, Unit
from services.store.service.inventory import PluginInventory
from services.store.service.store import Store, Times
from shared import errdefs
from shared.contracts.executor import Container, ContainerStatus
from shared.contracts.plugin import Plugin, PluginState, PluginStatus
from shared.contracts.reference import GetMode, GetPlugin, Reference
from shared.contracts.store import DisablePlugin, RemovePlugin
from shared.sqlite import Database
from tests.support.executor import FakeExecutor
from tests.support.store import (
    FakeBoot,
    FakeContent,
    FakeFolders,
    FakeQueue,
    FakeRegistrations,
    FakeSecrets,
    delivery,
)
from tests.support.wait import eventually

PLUGIN = Plugin(
    plugin_id="1" * 64,
    name="p:latest",
    reference="p:latest",
    enabled=True,
    config={"Interface": {"Types": ["docker.volumedriver/1.0"], "Socket": "p.sock"}},
    settings={},
    config_digest="",
    manifest_digest="",
    created_at_ns=0,
    status=PluginStatus(state=PluginState.RUNNING, container_id="c-1"),
)
CONTAINER = Container(container_id="c-1", status=ContainerStatus.RUNNING, socket_dir="/run/c-1")


@contextlib.asynccontextmanager
async def records_in(folder: Path) -> AsyncIterator[SqliteRecords]:
    """Open the database of a folder; a new one has the plugin."""
    is_new = not (folder / "store.db").exists()
    database = Database(folder / "store.db", MIGRATIONS)
    await database.open()
    records = SqliteRecords(database, time.time_ns)
    if is_new:
        await records.commit(Unit(changes=(Change.of(PLUGIN),)))
    try:
        yield records
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def store_on(records: SqliteRecords) -> AsyncIterator[Store]:
    """Run a store; its end undoes nothing, as a kill -9 does not."""
    queue, executor = FakeQueue(), FakeExecutor()
    executor.containers[CONTAINER.container_id] = CONTAINER
    store = Store(
        inventory=PluginInventory(records, committed=lambda: None),
        sender=executor,
        folders=FakeFolders(),
        boot=FakeBoot(),
        content=FakeContent(),
        queue=queue,
        registrations=FakeRegistrations(),
        secrets=FakeSecrets(),
        feed=queue,
        clock=time.time_ns,
        times=Times(ready_timeout_s=1, stop_grace_s=1),
    )
    await store.start()
    try:
        yield store
    finally:
        await store.close()


async def acquire(store: Store, owner: str = "volume/data1", ttl_s: int = 60) -> Reference:
    """Hold the plugin."""
    command = GetPlugin(
        name="p", capability="volumedriver", mode=GetMode.ACQUIRE, owner=owner, ttl_s=ttl_s
    )
    reference = (await store.references.get(command, delivery())).reference
    assert reference is not None
    return reference


async def release(store: Store, owner: str = "volume/data1") -> None:
    """Hold the plugin no more."""
    command = GetPlugin(name="p", mode=GetMode.RELEASE, owner=owner)
    await store.references.get(command, delivery())


async def leases(records: SqliteRecords) -> tuple[Reference, ...]:
    """Return what is on disk."""
    return (await records.load()).references


async def test_lease_is_on_disk_when_it_is_acknowledged(tmp_path: Path) -> None:
    """What was answered is what another reader of the file finds, once per owner."""
    async with records_in(tmp_path) as records, store_on(records) as store:
        await acquire(store, "task/t1")
        await acquire(store)
        renewed = await acquire(store)

        async with records_in(tmp_path) as others:
            found = {lease.owner: lease for lease in await leases(others)}

    assert found.keys() == {"task/t1", "volume/data1"}
    assert found["volume/data1"] == renewed


async def test_g08_plugin_is_in_use_after_a_restart_of_the_store(tmp_path: Path) -> None:
    """The lease is there after the restart; after its release disable and remove work."""
    async with records_in(tmp_path) as records, store_on(records) as store:
        await acquire(store)

    async with records_in(tmp_path) as records, store_on(records) as store:
        with pytest.raises(errdefs.Conflict, match="plugin p:latest is in use"):
            await store.lifecycle.disable(DisablePlugin(name="p"), delivery())
        await release(store)
        await store.lifecycle.disable(DisablePlugin(name="p"), delivery())
        await store.removal.remove(RemovePlugin(name="p"), delivery())


async def test_lease_outlives_a_change_of_its_plugin_and_goes_with_it(tmp_path: Path) -> None:
    """A forced disable writes the plugin anew and keeps its leases; a forced remove drops them."""
    async with records_in(tmp_path) as records, store_on(records) as store:
        await acquire(store)

        await store.lifecycle.disable(DisablePlugin(name="p", force=True), delivery())
        assert len(await leases(records)) == 1

        await store.removal.remove(RemovePlugin(name="p", force=True), delivery())
        assert not await leases(records)
        assert not store.inventory.all_references()


async def test_lease_is_dropped_in_time(tmp_path: Path) -> None:
    """A lease that nobody renews is gone from the disk soon after its end, and not before."""
    async with records_in(tmp_path) as records, store_on(records) as store:
        await acquire(store, "task/late")
        soon = await acquire(store, "task/soon", ttl_s=1)

        async def owners() -> set[str]:
            return {lease.owner for lease in await leases(records)}

        assert await owners() == {"task/late", "task/soon"}
        await eventually(lambda: len(store.inventory.all_references()) == 1)

        assert time.time_ns() >= soon.until_ns
        assert await owners() == {"task/late"}


async def test_database_of_an_older_version_gets_the_table(tmp_path: Path) -> None:
    """A file from before there were leases is brought up to date, its plugins still there."""
    older = tmp_path / "older"
    older.mkdir()
    for step in sorted(MIGRATIONS.glob("000[12]_*.sql")):
        (older / step.name).write_text(step.read_text())
    database = Database(tmp_path / "store.db", older)
    await database.open()
    await database.write(
        lambda connection: connection.execute(
            "INSERT INTO plugins (plugin_id, name, record) VALUES (?, ?, ?)",
            (PLUGIN.plugin_id, PLUGIN.name, PLUGIN.model_dump_json()),
        )
    )
    await database.close()

    async with records_in(tmp_path) as records, store_on(records) as store:
        await acquire(store)

        assert len(await leases(records)) == 1
