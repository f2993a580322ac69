"""Registrations in the store's real database."""

from __future__ import annotations

from pathlib import Path

from services.store.adapters.records import MIGRATIONS
from services.store.adapters.registrations import SqliteRegistrations
from services.store.domain.registration import HandlerRecord, Kind
from shared.contracts.capability import CapabilityKey, Handler, RuntimeOption
from shared.contracts.executor import ContainerMount
from shared.sqlite import Database

METRICS = CapabilityKey(capability="metricscollector")


async def test_registrations_survive_and_are_replaced_by_key(tmp_path: Path) -> None:
    """A handler and an option of one owner are kept side by side, one of each per capability."""
    database = Database(tmp_path / "store.db", MIGRATIONS)
    await database.open()
    records = SqliteRegistrations(database)
    record = HandlerRecord(handler=Handler(consumer="event", key=METRICS), process="event-1")
    told = record.model_copy(update={"acknowledged": {"p": ("p-1",)}})
    mount = ContainerMount(type="bind", source="/s", destination="/d", create_source=True)
    option = RuntimeOption(owner="event", key=METRICS, mounts=(mount,))

    await records.keep_handler(record)
    await records.keep_handler(told)
    await records.keep_option(option)
    await database.close()

    database = Database(tmp_path / "store.db", MIGRATIONS)
    await database.open()
    records = SqliteRegistrations(database)
    registered = await records.load()
    assert (registered.handlers, registered.options) == ((told,), (option,))

    await records.drop(Kind.HANDLER, record.key)
    await records.drop(Kind.HANDLER, record.key)
    registered = await records.load()
    assert (registered.handlers, registered.options) == ((), (option,))
    await database.close()
