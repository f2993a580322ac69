"""once.Outcomes on SQLite; the table is made by a migration of the database's owner."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Final

from shared.idempotency.once import Outcome
from shared.sqlite import Database

_KEPT_NS: Final = 24 * 3600 * 10**9


class SqliteOutcomes:
    """The table `outcomes`."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, message_id: str, asked: str) -> Outcome:
        """Note what is asked, unless something was before; return what is there."""
        now_ns = self._clock()

        def change(connection: sqlite3.Connection) -> Outcome:
            connection.execute("DELETE FROM outcomes WHERE at_ns < ?", (now_ns - _KEPT_NS,))
            connection.execute(
                "INSERT OR IGNORE INTO outcomes (message_id, asked, at_ns) VALUES (?, ?, ?)",
                (message_id, asked, now_ns),
            )
            row = connection.execute(
                "SELECT asked, reply, error FROM outcomes WHERE message_id = ?", (message_id,)
            ).fetchone()
            return _outcome(row)

        return await self._database.write(change)

    async def end(self, message_id: str, outcome: Outcome) -> None:
        """Write the outcome down."""
        error = "" if outcome.error is None else json.dumps(outcome.error)
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE outcomes SET reply = ?, error = ? WHERE message_id = ?",
                (outcome.reply, error, message_id),
            )
        )


def _outcome(row: sqlite3.Row) -> Outcome:
    error = json.loads(row["error"]) if row["error"] else None
    return Outcome(asked=row["asked"], reply=row["reply"], error=error)
