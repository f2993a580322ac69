"""volume.db: what is committed is found again, and published once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.volume.adapters.records import MIGRATIONS, SqliteRecords
from services.volume.domain.record import Holder, Kind, Operation, Unit, VolumeRecord, fact
from shared.contracts.volume import VolumesChanged
from shared.sqlite import Database

VOLUME = VolumeRecord(
    name="v", driver="p:latest", is_held=True, labels={}, options={"a": "b"}, created_at_ns=7
)
HOLDER = Holder(name="v", owner="c", mountpoint="/m", since_ns=1, boot_id="b")


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[SqliteRecords]:
    """Give the tables in a file."""
    database = Database(tmp_path / "volume.db", MIGRATIONS)
    await database.open()
    yield SqliteRecords(database, lambda: 1000)
    await database.close()


async def test_a_verb_from_its_journal_to_its_fact(records: SqliteRecords) -> None:
    """Each step is found as it was committed, and takes the place of the one before."""
    operation = Operation(kind=Kind.CREATE, record=VOLUME, message_id="m")
    begun = await records.commit(Unit(begin=operation))
    assert (await records.load()).operations == (operation,)
    assert begun.revision == 0

    made = await records.commit(
        Unit(put=VOLUME, end="v", facts=(fact("v", "create", 5, driver="p"),), answers="m")
    )
    await records.commit(Unit(hold=HOLDER))
    loaded = await records.load()
    assert (loaded.volumes, loaded.operations, loaded.holders) == ((VOLUME,), (), (HOLDER,))
    assert loaded.position == made == await records.replied("m")
    assert await records.replied("other") is None

    gone = Unit(drop="v", begin=operation.now(Kind.RELEASE), facts=(fact("v", "destroy", 6),))
    await records.commit(gone)
    loaded = await records.load()
    assert (loaded.volumes, loaded.holders) == ((), ())
    assert loaded.operations[0].kind is Kind.RELEASE
    published = await records.published_after(0, 10)
    read = [(n, VolumesChanged.model_validate_json(one.body)) for n, one in published]
    assert [(n, one.revision, one.facts[0].action) for n, one in read] == [
        (1, 1, "create"),
        (2, 2, "destroy"),
    ]
    assert await records.published_after(1, 10) == published[1:]
    assert await records.last_revision() == 2


async def test_a_holder_goes_alone(records: SqliteRecords) -> None:
    """Another owner's stays."""
    other = HOLDER.model_copy(update={"owner": "d"})
    await records.commit(Unit(put=VOLUME))
    for one in (HOLDER, other):
        await records.commit(Unit(hold=one))
    await records.commit(Unit(let_go=(HOLDER,)))
    assert (await records.load()).holders == (other,)
