"""controller.db: what is committed is found again, copied and published."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.controller.adapters.records import MIGRATIONS, SqliteRecords
from services.controller.domain.row import Entry, Kind, Unit
from services.controller.domain.term import Term
from shared.contracts.message import Done
from shared.contracts.node import Row, RowsChanged
from shared.sqlite import Database
from shared.telemetry import context

_TERM = Entry(kind=Kind.TERM, key="", body=Term(number=3))


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[SqliteRecords]:
    """Open a database of its own."""
    database = Database(tmp_path / "controller.db", MIGRATIONS)
    await database.open()
    yield SqliteRecords(database, lambda: 5)
    await database.close()


async def test_a_unit_is_found_and_published(records: SqliteRecords) -> None:
    """Rows, reply and revision are committed together."""
    await records.commit(Unit(entries=(_TERM,), answers="m1", reply=Done()))

    assert await records.load() == [Row(kind="term", key="", body={"number": 3})]
    assert await records.replied("m1") == "{}"
    ((revision, written),) = await records.published_after(0, 10)
    change = RowsChanged.model_validate_json(written.body)
    assert (revision, change.revision, change.epoch) == (1, 1, await records.epoch())
    assert change.rows == (Row(kind="term", key="", body={"number": 3}),)


async def test_a_row_that_goes(records: SqliteRecords) -> None:
    """A row without a body is deleted, and published as such."""
    await records.commit(Unit(entries=(_TERM,)))
    await records.commit(Unit(entries=(Entry(kind=Kind.TERM, key="", body=None),)))

    assert await records.load() == []
    ((_, written),) = await records.published_after(1, 10)
    assert RowsChanged.model_validate_json(written.body).rows[0].body is None


async def test_a_revision_is_published_in_its_trace(records: SqliteRecords) -> None:
    """Those who copy it can be linked to what it was committed for."""
    began = f"00-{'a' * 32}-{'b' * 16}-01"
    with context.within(began):
        await records.commit(Unit(entries=(_TERM,)))
    await records.commit(Unit(entries=(_TERM,)))

    published = await records.published_after(0, 10)
    assert [written.traceparent for _, written in published] == [began, ""]


async def test_copies_are_not_published(records: SqliteRecords) -> None:
    """What another controller committed is kept in place of ours, in pages, and told to nobody."""
    rows = [Row(kind="future", key=f"{n}", body={"n": n}) for n in range(5)]
    await records.apply([Row(kind="old", key="", body={})], ())
    await records.replace(rows, ())

    first = await records.after("", "", limit=3)
    assert [row.key for row in first] == ["0", "1", "2"]
    assert await records.after("future", "2", limit=3) == rows[3:]
    assert await records.last_revision() == 0
