"""What databases with an outbox have in common: an epoch, revisions, and how long they are kept.

Their tables are `epoch (epoch)`, `outbox (revision, at_ns, …)` and `inbox (message_id, at_ns, …)`.
"""

from __future__ import annotations

import sqlite3
from typing import Final

#: How long replies and revisions are kept for those that missed them.
_INBOX_KEPT_NS: Final = 24 * 3600 * 10**9
#: Of replies there may be more than are kept, while they are so young: also by a clock set back.
_REPLIES_STAY_NS: Final = 3600 * 10**9
_OUTBOX_KEPT_NS: Final = 7 * 24 * 3600 * 10**9
#: Old rows go in the commit that makes a revision divisible by this.
_PRUNE_EVERY: Final = 256


def epoch(connection: sqlite3.Connection) -> str:
    """Return the identity of this database; another file has another."""
    (found,) = connection.execute("SELECT epoch FROM epoch").fetchone()
    return str(found)


def last_revision(connection: sqlite3.Connection) -> int:
    """Return the newest revision, 0 before the first."""
    (revision,) = connection.execute("SELECT COALESCE(MAX(revision), 0) FROM outbox").fetchone()
    return int(revision)


def after(connection: sqlite3.Connection, revision: int, limit: int) -> list[sqlite3.Row]:
    """Return the kept revisions after *revision*, oldest first, with all their columns."""
    return connection.execute(
        "SELECT * FROM outbox WHERE revision > ? ORDER BY revision LIMIT ?", (revision, limit)
    ).fetchall()


def prune(
    connection: sqlite3.Connection,
    revision: int,
    *,
    now_ns: int,
    kept_rows: int = 100_000,
    kept_replies: int = 20_000,
) -> None:
    """Delete, now and then, what is too old or too much; the newest *revision* always stays.

    A command is delivered again within minutes of being read, long before so many others are
    answered: without that bound a busy client fills the disk within its day.
    """
    if revision % _PRUNE_EVERY:
        return
    connection.execute(
        "DELETE FROM outbox WHERE revision <= ? OR (at_ns < ? AND revision < ?)",
        (revision - kept_rows, now_ns - _OUTBOX_KEPT_NS, revision),
    )
    connection.execute("DELETE FROM inbox WHERE at_ns < ?", (now_ns - _INBOX_KEPT_NS,))
    connection.execute(
        "DELETE FROM inbox WHERE at_ns < ? AND at_ns <= "
        "(SELECT at_ns FROM inbox ORDER BY at_ns DESC LIMIT 1 OFFSET ?)",
        (now_ns - _REPLIES_STAY_NS, kept_replies),
    )
