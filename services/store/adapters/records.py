"""ports.Records on SQLite: each unit is one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from services.store import ports
from services.store.domain.job import KEPT_NS, JobRecord
from services.store.domain.operation import Change, Kind, Operation, Unit, Unsynced
from shared import errdefs
from shared.bus.relay import Written
from shared.contracts.plugin import Plugin
from shared.contracts.reference import Reference
from shared.contracts.store import Changed, PluginChanged
from shared.sqlite import Database, outbox
from shared.telemetry import context

MIGRATIONS = Path(__file__).parent / "migrations"


class SqliteRecords:
    """The store's tables."""

    def __init__(self, database: Database, clock: ports.Clock) -> None:
        self._database = database
        self._clock = clock

    async def load(self) -> ports.Loaded:
        """Read everything."""
        return await self._database.read(_load)

    async def commit(self, unit: Unit) -> ports.Committed:
        """Commit a unit whole; see ports.Records."""
        now_ns, traceparent = self._clock(), context.traceparent()
        return await self._database.write(
            lambda connection: _commit(connection, unit, now_ns, traceparent)
        )

    async def replied(self, message_id: str) -> Changed | None:
        """Return the reply that a command was already given."""
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT reply FROM inbox WHERE message_id = ?", (message_id,)
            ).fetchone()
        )
        return Changed.model_validate_json(row["reply"]) if row else None

    async def synced(self, done: Collection[Unsynced]) -> None:
        """Forget root file systems that are on the disk now; see ports.Records."""
        rows = [(one.plugin_id, one.rootfs) for one in done]
        await self._database.write(
            lambda connection: connection.executemany(
                "DELETE FROM unsynced WHERE plugin_id = ? AND rootfs = ?", rows
            )
        )

    async def published_after(self, revision: int, limit: int) -> Sequence[tuple[int, Written]]:
        """Return the kept revisions after *revision*, oldest first, for the relay."""
        rows = await self._database.read(
            lambda connection: outbox.after(connection, revision, limit)
        )
        return [(row["revision"], _written(row)) for row in rows]

    async def last_revision(self) -> int:
        """Return the newest revision, 0 before the first."""
        return await self._database.read(outbox.last_revision)


def _load(connection: sqlite3.Connection) -> ports.Loaded:
    plugins = connection.execute("SELECT record FROM plugins").fetchall()
    operations = connection.execute("SELECT * FROM operations ORDER BY token").fetchall()
    jobs = connection.execute("SELECT record FROM jobs ORDER BY created_at_ns").fetchall()
    leases = connection.execute("SELECT record FROM leases").fetchall()
    unsynced = connection.execute("SELECT plugin_id, rootfs FROM unsynced").fetchall()
    return ports.Loaded(
        epoch=outbox.epoch(connection),
        revision=outbox.last_revision(connection),
        plugins=tuple(Plugin.model_validate_json(row["record"]) for row in plugins),
        operations=tuple(_operation(row) for row in operations),
        jobs=tuple(JobRecord.model_validate_json(row["record"]) for row in jobs),
        references=tuple(Reference.model_validate_json(row["record"]) for row in leases),
        unsynced=tuple(
            Unsynced(plugin_id=row["plugin_id"], rootfs=row["rootfs"]) for row in unsynced
        ),
    )


def _commit(
    connection: sqlite3.Connection, unit: Unit, now_ns: int, traceparent: str
) -> ports.Committed:
    if unit.end is not None:
        _end(connection, unit.end)
    operation = _begin(connection, unit.begin, now_ns) if unit.begin else None
    if unit.job is not None:
        _keep_job(connection, unit.job, now_ns)
    if unit.lease is not None:
        _keep_lease(connection, unit.lease)
    for reference in unit.dropped:
        _drop_lease(connection, reference)
    epoch = outbox.epoch(connection)
    first = outbox.last_revision(connection) + 1
    changes = tuple(
        PluginChanged(
            epoch=epoch,
            revision=revision,
            plugin_id=change.plugin_id,
            plugin=change.plugin,
            facts=change.facts,
            created=change.plugin is not None and not _exists(connection, change.plugin_id),
        )
        for revision, change in enumerate(unit.changes, start=first)
    )
    for change, message in zip(unit.changes, changes, strict=True):
        _write(connection, change)
        _publish(connection, message, now_ns, traceparent)
    if unit.unsynced is not None:
        _note_unsynced(connection, unit.unsynced)
    changed = Changed(epoch=epoch, revision=first - 1 + len(changes), changes=changes)
    if unit.answers:
        connection.execute(
            "INSERT INTO inbox (message_id, reply, at_ns) VALUES (?, ?, ?)",
            (unit.answers, changed.model_dump_json(), now_ns),
        )
    return ports.Committed(changed=changed, operation=operation)


def _begin(connection: sqlite3.Connection, operation: Operation, now_ns: int) -> Operation:
    try:
        cursor = connection.execute(
            "INSERT INTO operations (plugin_id, kind, message_id, container_id, begun_at_ns)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                operation.plugin_id,
                operation.kind,
                operation.message_id,
                operation.container_id,
                now_ns,
            ),
        )
    except sqlite3.IntegrityError as error:
        raise errdefs.Conflict(
            f"another operation is under way on plugin {operation.plugin_id}: try again later"
        ) from error
    return Operation(
        token=cursor.lastrowid or 0,
        plugin_id=operation.plugin_id,
        kind=operation.kind,
        message_id=operation.message_id,
        container_id=operation.container_id,
    )


def _end(connection: sqlite3.Connection, token: int) -> None:
    if connection.execute("DELETE FROM operations WHERE token = ?", (token,)).rowcount != 1:
        raise errdefs.Conflict(f"operation {token} is no longer under way: another took its place")


def _keep_job(connection: sqlite3.Connection, record: JobRecord, now_ns: int) -> None:
    job = record.job
    try:
        connection.execute(
            "INSERT INTO jobs (job_id, name, state, created_at_ns, record) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (job_id) DO UPDATE SET state = excluded.state, record = excluded.record",
            (job.job_id, job.name, job.state, job.created_at_ns, record.model_dump_json()),
        )
    except sqlite3.IntegrityError as error:
        raise errdefs.Conflict(
            f"plugin {job.name} is in the hands of another job: wait for it, or cancel it"
        ) from error
    connection.execute(
        "DELETE FROM jobs WHERE state IN ('done', 'failed') AND created_at_ns < ?",
        (now_ns - KEPT_NS,),
    )


def _keep_lease(connection: sqlite3.Connection, reference: Reference) -> None:
    connection.execute(
        "INSERT INTO leases (plugin_id, owner, record) VALUES (?, ?, ?)"
        " ON CONFLICT (plugin_id, owner) DO UPDATE SET record = excluded.record",
        (reference.plugin_id, reference.owner, reference.model_dump_json()),
    )


def _drop_lease(connection: sqlite3.Connection, reference: Reference) -> None:
    connection.execute(
        "DELETE FROM leases WHERE plugin_id = ? AND owner = ?",
        (reference.plugin_id, reference.owner),
    )


def _note_unsynced(connection: sqlite3.Connection, unsynced: Unsynced) -> None:
    connection.execute(
        "INSERT INTO unsynced (plugin_id, rootfs) VALUES (?, ?)"
        " ON CONFLICT (plugin_id) DO UPDATE SET rootfs = excluded.rootfs",
        (unsynced.plugin_id, unsynced.rootfs),
    )


def _exists(connection: sqlite3.Connection, plugin_id: str) -> bool:
    row = connection.execute("SELECT 1 FROM plugins WHERE plugin_id = ?", (plugin_id,)).fetchone()
    return row is not None


def _write(connection: sqlite3.Connection, change: Change) -> None:
    if change.plugin is None:
        connection.execute("DELETE FROM plugins WHERE plugin_id = ?", (change.plugin_id,))
        return
    plugin = change.plugin
    try:
        connection.execute(
            "INSERT INTO plugins (plugin_id, name, record) VALUES (?, ?, ?)"
            " ON CONFLICT (plugin_id) DO UPDATE SET name = excluded.name, record = excluded.record",
            (plugin.plugin_id, plugin.name, plugin.model_dump_json()),
        )
    except sqlite3.IntegrityError as error:
        raise errdefs.AlreadyExists(f"plugin {plugin.name} already exists") from error


def _publish(
    connection: sqlite3.Connection, message: PluginChanged, now_ns: int, traceparent: str
) -> None:
    connection.execute(
        "INSERT INTO outbox (revision, message, at_ns, traceparent) VALUES (?, ?, ?, ?)",
        (message.revision, message.model_dump_json(), now_ns, traceparent),
    )
    outbox.prune(connection, message.revision, now_ns=now_ns)


def _operation(row: sqlite3.Row) -> Operation:
    return Operation(
        token=row["token"],
        plugin_id=row["plugin_id"],
        kind=Kind(row["kind"]),
        message_id=row["message_id"],
        container_id=row["container_id"],
    )


def _written(row: sqlite3.Row) -> Written:
    body = row["message"].encode()
    return Written(type=PluginChanged.TYPE, body=body, traceparent=row["traceparent"])
