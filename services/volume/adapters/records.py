"""ports.Records on volume.db: each unit is one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from services.volume import ports
from services.volume.domain.record import Holder, Operation, Position, Unit, VolumeRecord
from shared.bus.relay import Written
from shared.contracts.store import Fact
from shared.contracts.volume import VolumesChanged
from shared.sqlite import Database, outbox
from shared.telemetry import context

MIGRATIONS = Path(__file__).parent / "migrations"


class SqliteRecords:
    """The volume service's tables."""

    def __init__(self, database: Database, clock: ports.Clock) -> None:
        self._database = database
        self._clock = clock

    async def load(self) -> ports.Loaded:
        """Read everything."""
        return await self._database.read(_load)

    async def commit(self, unit: Unit) -> Position:
        """Commit a unit whole; see ports.Records."""
        now_ns, traceparent = self._clock(), context.traceparent()
        return await self._database.write(
            lambda connection: _commit(connection, unit, now_ns, traceparent)
        )

    async def replied(self, message_id: str) -> Position | None:
        """Return what a command was already answered with."""

        def query(connection: sqlite3.Connection) -> Position | None:
            row = connection.execute(
                "SELECT revision FROM inbox WHERE message_id = ?", (message_id,)
            ).fetchone()
            return (
                Position(epoch=outbox.epoch(connection), revision=row["revision"]) if row else None
            )

        return await self._database.read(query)

    async def published_after(self, revision: int, limit: int) -> Sequence[tuple[int, Written]]:
        """Return the kept revisions after *revision*, oldest first, for the relay."""

        def query(connection: sqlite3.Connection) -> list[tuple[int, Written]]:
            epoch = outbox.epoch(connection)
            rows = outbox.after(connection, revision, limit)
            return [(row["revision"], _written(epoch, row)) for row in rows]

        return await self._database.read(query)

    async def last_revision(self) -> int:
        """Return the newest revision, 0 before the first."""
        return await self._database.read(outbox.last_revision)


def _load(connection: sqlite3.Connection) -> ports.Loaded:
    volumes = connection.execute("SELECT record FROM volumes ORDER BY name")
    operations = connection.execute("SELECT operation FROM operations ORDER BY begun_at_ns")
    holders = connection.execute("SELECT holder FROM holders")
    return ports.Loaded(
        position=_position(connection),
        volumes=tuple(VolumeRecord.model_validate_json(row["record"]) for row in volumes),
        operations=tuple(Operation.model_validate_json(row["operation"]) for row in operations),
        holders=tuple(Holder.model_validate_json(row["holder"]) for row in holders),
    )


def _commit(connection: sqlite3.Connection, unit: Unit, now_ns: int, traceparent: str) -> Position:
    if unit.put is not None:
        connection.execute(
            "INSERT INTO volumes (name, record) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET record = excluded.record",
            (unit.put.name, unit.put.model_dump_json()),
        )
    if unit.drop is not None:
        connection.execute("DELETE FROM volumes WHERE name = ?", (unit.drop,))
    _move_operation(connection, unit, now_ns)
    _move_holders(connection, unit)
    if unit.facts:
        _publish(connection, unit.facts, now_ns, traceparent)
    position = _position(connection)
    if unit.answers:
        connection.execute(
            "INSERT OR IGNORE INTO inbox (message_id, revision, at_ns) VALUES (?, ?, ?)",
            (unit.answers, position.revision, now_ns),
        )
    return position


def _move_operation(connection: sqlite3.Connection, unit: Unit, now_ns: int) -> None:
    if unit.end is not None:
        connection.execute("DELETE FROM operations WHERE name = ?", (unit.end,))
    if unit.begin is not None:
        connection.execute(
            "INSERT OR REPLACE INTO operations (name, operation, begun_at_ns) VALUES (?, ?, ?)",
            (unit.begin.name, unit.begin.model_dump_json(), now_ns),
        )


def _move_holders(connection: sqlite3.Connection, unit: Unit) -> None:
    if unit.hold is not None:
        connection.execute(
            "INSERT OR REPLACE INTO holders (name, owner, holder) VALUES (?, ?, ?)",
            (unit.hold.name, unit.hold.owner, unit.hold.model_dump_json()),
        )
    connection.executemany(
        "DELETE FROM holders WHERE name = ? AND owner = ?",
        [(one.name, one.owner) for one in unit.let_go],
    )


def _publish(
    connection: sqlite3.Connection, facts: Sequence[Fact], now_ns: int, traceparent: str
) -> None:
    revision = outbox.last_revision(connection) + 1
    connection.execute(
        "INSERT INTO outbox (revision, facts, at_ns, traceparent) VALUES (?, ?, ?, ?)",
        (revision, json.dumps([fact.model_dump() for fact in facts]), now_ns, traceparent),
    )
    outbox.prune(connection, revision, now_ns=now_ns)


def _written(epoch: str, row: sqlite3.Row) -> Written:
    facts = tuple(Fact.model_validate(one) for one in json.loads(row["facts"]))
    changed = VolumesChanged(epoch=epoch, revision=row["revision"], facts=facts)
    return Written(
        type=changed.TYPE,
        body=changed.model_dump_json().encode(),
        traceparent=row["traceparent"],
    )


def _position(connection: sqlite3.Connection) -> Position:
    return Position(epoch=outbox.epoch(connection), revision=outbox.last_revision(connection))
