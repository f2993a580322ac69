"""ports.Registrations in store.db."""

from __future__ import annotations

import sqlite3

from services.store import ports
from services.store.domain.registration import HandlerRecord, Key, Kind
from shared.contracts.capability import RuntimeOption
from shared.contracts.message import Value
from shared.sqlite import Database


class SqliteRegistrations:
    """The table of registrations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> ports.Registered:
        """Read all."""
        return await self._database.read(_load)

    async def keep_handler(self, record: HandlerRecord) -> None:
        """Write a handler's record in the place of the one before."""
        await self._keep(Kind.HANDLER, record.key, record)

    async def keep_option(self, option: RuntimeOption) -> None:
        """Write an option in the place of the one before."""
        await self._keep(Kind.OPTION, Key.of(option.owner, option.key), option)

    async def drop(self, kind: Kind, key: Key) -> None:
        """Delete a registration; none is success."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM registrations WHERE kind = ? AND owner = ? AND interface = ?",
                    (kind, *key),
                ).rowcount
            )
        )

    async def _keep(self, kind: Kind, key: Key, record: Value) -> None:
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "INSERT INTO registrations (kind, owner, interface, record) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (kind, owner, interface) DO UPDATE SET record = excluded.record",
                    (kind, *key, record.model_dump_json()),
                ).rowcount
            )
        )


def _load(connection: sqlite3.Connection) -> ports.Registered:
    rows = connection.execute("SELECT kind, record FROM registrations").fetchall()
    of_kind = {kind: [row["record"] for row in rows if row["kind"] == kind] for kind in Kind}
    return ports.Registered(
        handlers=tuple(map(HandlerRecord.model_validate_json, of_kind[Kind.HANDLER])),
        options=tuple(map(RuntimeOption.model_validate_json, of_kind[Kind.OPTION])),
    )
