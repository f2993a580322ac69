"""The audit in its database, which others may have changed."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.event.adapters.audit_db import AuditDb
from services.event.adapters.feed_db import MIGRATIONS
from shared.contracts.audit import Phase, ReadAudit, RequestAudited, VerifyAudit
from shared.sqlite import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a database that is open."""
    opened = Database(tmp_path / "event.db", MIGRATIONS)
    await opened.open()
    yield opened
    await opened.close()


async def _fill(audit: AuditDb, count: int) -> None:
    for number in range(count):
        request = RequestAudited(
            request_id=str(number),
            phase=Phase.ENDED,
            time_ns=number,
            who="token ci",
            method="POST",
            path=f"/plugins/{number}/enable",
            status=200,
        )
        await audit.append([(request, f"m-{number}")])


async def test_records_are_chained_and_read(database: Database) -> None:
    """The last ones come oldest first, and a repeat of a message adds none."""
    audit = AuditDb(database, keep=100)
    await _fill(audit, 5)
    await _fill(audit, 2)

    last = await audit.page(ReadAudit(limit=2))
    behind = await audit.page(ReadAudit(after_seq=1, limit=10))

    assert [record.seq for record in last.records] == [4, 5]
    assert [record.seq for record in behind.records] == [2, 3, 4, 5]
    found = await audit.verify(VerifyAudit())
    assert (found.records, found.head) == (5, last.records[-1].hash)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE audit SET body = replace(body, 'token ci', 'token me') WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("UPDATE audit SET hash = 'x' WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 1", 2),
    ],
    ids=["changed", "taken out", "another hash", "the first one"],
)
async def test_who_changes_the_file_is_found_out(
    database: Database, tmp_path: Path, change: str, broken: int
) -> None:
    """Whatever somebody who can write the database does to one record, verifying names it."""
    audit = AuditDb(database, keep=100)
    await _fill(audit, 5)
    with sqlite3.connect(tmp_path / "event.db") as intruder:
        intruder.execute(change)
    intruder.close()

    found = await audit.verify(VerifyAudit())

    assert found.broken_seq == broken


async def test_old_records_go_and_the_chain_goes_on(database: Database) -> None:
    """The newest stay; what was noted of them still holds."""
    audit = AuditDb(database, keep=3)
    await _fill(audit, 10)
    (record, *_) = (await audit.page(ReadAudit(after_seq=7, limit=1))).records

    found = await audit.verify(VerifyAudit(noted_seq=record.seq, noted_hash=record.hash))

    assert (found.records, found.first_seq, found.last_seq) == (3, 8, 10)
    assert found.broken_seq is None
