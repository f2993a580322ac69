"""ports.Records on controller.db: each unit is one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from services.controller import ports
from services.controller.domain.row import Entry, Unit
from shared.bus.relay import Written
from shared.contracts.message import Value
from shared.contracts.node import Row, RowsChanged
from shared.contracts.store import Fact
from shared.sqlite import Database, outbox
from shared.telemetry import context

MIGRATIONS = Path(__file__).parent / "migrations"

#: Revisions that are kept for those that missed them; who missed more reads all.
_OUTBOX_KEPT_ROWS = 10_000


class SqliteRecords:
    """The controller's tables."""

    def __init__(self, database: Database, clock: ports.Clock) -> None:
        self._database = database
        self._clock = clock

    async def load(self) -> Sequence[Row]:
        """Read all rows."""
        return await self._database.read(_load)

    async def after(self, kind: str, key: str, *, limit: int) -> Sequence[Row]:
        """Read rows after one, by kind and key."""

        def query(connection: sqlite3.Connection) -> list[Row]:
            found = connection.execute(
                "SELECT kind, key, body FROM rows WHERE (kind, key) > (?, ?)"
                " ORDER BY kind, key LIMIT ?",
                (kind, key, limit),
            )
            return list(map(_read, found))

        return await self._database.read(query)

    async def commit(self, unit: Unit) -> None:
        """Commit a unit whole, and its rows for publication."""
        now_ns, traceparent = self._clock(), context.traceparent()
        await self._database.write(
            lambda connection: _commit(connection, unit, now_ns, traceparent)
        )

    async def replace(self, rows: Sequence[Row], facts: Sequence[Fact]) -> None:
        """Make these all rows there are; only facts are published."""
        await self._take(rows, facts, is_whole=True)

    async def apply(self, rows: Sequence[Row], facts: Sequence[Fact]) -> None:
        """Take in rows as another controller has committed them; only facts are published."""
        await self._take(rows, facts, is_whole=False)

    async def _take(self, rows: Sequence[Row], facts: Sequence[Fact], *, is_whole: bool) -> None:
        now_ns = self._clock()

        def change(connection: sqlite3.Connection) -> None:
            if is_whole:
                connection.execute("DELETE FROM rows")
            _put(connection, rows)
            if facts:
                _publish(connection, (), facts, now_ns, "")

        await self._database.write(change)

    async def replied(self, message_id: str) -> str | None:
        """Return what a command was already answered with, as JSON."""

        def query(connection: sqlite3.Connection) -> str | None:
            row = connection.execute(
                "SELECT reply FROM inbox WHERE message_id = ?", (message_id,)
            ).fetchone()
            return str(row["reply"]) if row else None

        return await self._database.read(query)

    async def epoch(self) -> str:
        """Return the identity of this database."""
        return await self._database.read(outbox.epoch)

    async def published_after(self, revision: int, limit: int) -> Sequence[tuple[int, Written]]:
        """Return the kept revisions after *revision*, oldest first, for the relay."""

        def query(connection: sqlite3.Connection) -> list[tuple[int, Written]]:
            epoch = outbox.epoch(connection)
            found = outbox.after(connection, revision, limit)
            return [(row["revision"], _written(epoch, row)) for row in found]

        return await self._database.read(query)

    async def last_revision(self) -> int:
        """Return the newest revision, 0 before the first."""
        return await self._database.read(outbox.last_revision)


def _load(connection: sqlite3.Connection) -> list[Row]:
    found = connection.execute("SELECT kind, key, body FROM rows ORDER BY kind, key")
    return list(map(_read, found))


def _read(row: sqlite3.Row) -> Row:
    return Row(kind=row["kind"], key=row["key"], body=json.loads(row["body"]))


def _commit(connection: sqlite3.Connection, unit: Unit, now_ns: int, traceparent: str) -> None:
    rows = tuple(map(_row, unit.entries))
    _put(connection, rows)
    if rows:
        _publish(connection, rows, unit.facts, now_ns, traceparent)
    if unit.answers is not None and unit.reply is not None:
        connection.execute(
            "INSERT OR IGNORE INTO inbox (message_id, reply, at_ns) VALUES (?, ?, ?)",
            (unit.answers, unit.reply.model_dump_json(), now_ns),
        )


def _row(entry: Entry) -> Row:
    body = None if entry.body is None else entry.body.model_dump(mode="json")
    return Row(kind=entry.kind, key=entry.key, body=body)


def _put(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    connection.executemany(
        "INSERT INTO rows (kind, key, body) VALUES (?, ?, ?)"
        " ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
        [(row.kind, row.key, json.dumps(row.body)) for row in rows if row.body is not None],
    )
    connection.executemany(
        "DELETE FROM rows WHERE kind = ? AND key = ?",
        [(row.kind, row.key) for row in rows if row.body is None],
    )


def _publish(
    connection: sqlite3.Connection,
    rows: Sequence[Row],
    facts: Sequence[Fact],
    now_ns: int,
    traceparent: str,
) -> None:
    revision = outbox.last_revision(connection) + 1
    connection.execute(
        "INSERT INTO outbox (revision, rows, facts, at_ns, traceparent) VALUES (?, ?, ?, ?, ?)",
        (revision, _json(rows), _json(facts), now_ns, traceparent),
    )
    outbox.prune(connection, revision, now_ns=now_ns, kept_rows=_OUTBOX_KEPT_ROWS)


def _written(epoch: str, row: sqlite3.Row) -> Written:
    """Return a revision as it is published: RowsChanged, whose parts are JSON already."""
    head = json.dumps({"epoch": epoch, "revision": row["revision"]})
    body = f'{head[:-1]}, "rows": {row["rows"]}, "facts": {row["facts"]}}}'
    return Written(type=RowsChanged.TYPE, body=body.encode(), traceparent=row["traceparent"])


def _json(values: Sequence[Value]) -> str:
    return json.dumps([value.model_dump(mode="json") for value in values])
