"""ports.Secrets in store.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from services.store.domain.secret import SecretRecord
from shared.contracts.sealed import SealedSecret
from shared.sqlite import Database

_PUT = (
    "INSERT INTO secrets (name, secret, created_at_ns, changed_at_ns) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (name) DO UPDATE SET secret = excluded.secret, "
    "changed_at_ns = excluded.changed_at_ns"
)


class SqliteSecrets:
    """The table of sealed secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> tuple[SecretRecord, ...]:
        """Read all, by name."""
        return await self._database.read(_all)

    async def put(self, records: Sequence[SecretRecord]) -> None:
        """Write secrets in the place of those of their names, all in one transaction."""
        rows = [
            (one.secret.name, one.secret.model_dump_json(), one.created_at_ns, one.changed_at_ns)
            for one in records
        ]
        await self._database.write(lambda connection: connection.executemany(_PUT, rows).rowcount)

    async def drop(self, name: str) -> bool:
        """Delete a secret; tell whether it was there."""
        count = await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM secrets WHERE name = ?", (name,)).rowcount
            )
        )
        return count > 0


def _all(connection: sqlite3.Connection) -> tuple[SecretRecord, ...]:
    rows = connection.execute("SELECT * FROM secrets ORDER BY name")
    return tuple(
        SecretRecord(
            secret=SealedSecret.model_validate_json(row["secret"]),
            created_at_ns=row["created_at_ns"],
            changed_at_ns=row["changed_at_ns"],
        )
        for row in rows
    )
