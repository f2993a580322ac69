"""ports.Audit on event.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from services.event.domain.audit import Link, verified
from shared.contracts.audit import (
    AuditPage,
    AuditRecord,
    AuditVerified,
    ReadAudit,
    RequestAudited,
    VerifyAudit,
)
from shared.sqlite import Database


class AuditDb:
    """The audit on a database that is open; the newest *keep* records stay."""

    def __init__(self, database: Database, *, keep: int) -> None:
        self._database = database
        self._keep = keep

    async def append(
        self, requests: Sequence[tuple[RequestAudited, str]]
    ) -> tuple[AuditRecord, ...]:
        """Add records to the chain and return the new ones, in one transaction."""

        def transaction(connection: sqlite3.Connection) -> tuple[AuditRecord, ...]:
            added = [_append(connection, *one) for one in requests]
            _trim(connection, _head(connection).seq - self._keep)
            return tuple(record for record in added if record is not None)

        return await self._database.write(transaction)

    async def page(self, query: ReadAudit) -> AuditPage:
        """Return a piece of the audit."""
        return await self._database.read(lambda connection: _page(connection, query))

    async def verify(self, noted: VerifyAudit) -> AuditVerified:
        """Compute the chain anew from what lies in the database."""
        return await self._database.read(
            lambda connection: verified(_start(connection), _links(connection), noted)
        )


def _append(
    connection: sqlite3.Connection, request: RequestAudited, message_id: str
) -> AuditRecord | None:
    """Add a record; None where the message was added before."""
    known = "SELECT 1 FROM audit WHERE message_id = ?"
    if connection.execute(known, (message_id,)).fetchone():
        return None
    link = _head(connection).next(request.model_dump_json())
    connection.execute(
        "INSERT INTO audit (seq, message_id, body, hash) VALUES (?, ?, ?, ?)",
        (link.seq, message_id, link.body, link.hash),
    )
    return AuditRecord(seq=link.seq, request=request, hash=link.hash)


def _start(connection: sqlite3.Connection) -> Link:
    seq, start_hash = connection.execute("SELECT seq, hash FROM audit_start").fetchone()
    return Link(seq=seq, hash=start_hash)


def _head(connection: sqlite3.Connection) -> Link:
    row = connection.execute(
        "SELECT seq, body, hash FROM audit ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return Link(seq=row["seq"], body=row["body"], hash=row["hash"]) if row else _start(connection)


def _links(connection: sqlite3.Connection) -> Iterator[Link]:
    for row in connection.execute("SELECT seq, body, hash FROM audit ORDER BY seq"):
        yield Link(seq=row["seq"], body=row["body"], hash=row["hash"])


def _page(connection: sqlite3.Connection, query: ReadAudit) -> AuditPage:
    last_seq = _head(connection).seq
    after = last_seq - query.limit if query.after_seq is None else query.after_seq
    rows = connection.execute(
        "SELECT seq, body, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", (after, query.limit)
    )
    records = (
        AuditRecord(
            seq=row["seq"],
            request=RequestAudited.model_validate_json(row["body"]),
            hash=row["hash"],
        )
        for row in rows
    )
    return AuditPage(records=tuple(records), last_seq=last_seq)


def _trim(connection: sqlite3.Connection, last_seq: int) -> None:
    """Delete what is older than the newest that are kept; the chain begins behind it then."""
    row = connection.execute("SELECT hash FROM audit WHERE seq = ?", (last_seq,)).fetchone()
    if row is not None:
        connection.execute("UPDATE audit_start SET seq = ?, hash = ?", (last_seq, row["hash"]))
        connection.execute("DELETE FROM audit WHERE seq <= ?", (last_seq,))
