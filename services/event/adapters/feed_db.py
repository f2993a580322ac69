"""ports.Feed on event.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.event.domain.feed import Change, Happening, happenings, source_of
from shared.contracts.event import FeedEvent, FeedPage, FeedPosition, ReadFeed
from shared.sqlite import Database

#: Folder of the schema's steps.
MIGRATIONS = Path(__file__).parent / "migrations"

#: Events that one page looks at: a filter that few events pass must not hold up other readers.
_PAGE_SCAN = 10_000
#: Events deleted in one transaction: short enough for a change to wait behind it.
_TRIM_BATCH = 1_000
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


class FeedDb:
    """The feed on a database that is open."""

    def __init__(self, database: Database, *, node: str, page_scan: int = _PAGE_SCAN) -> None:
        self._database = database
        self._node = node
        self._page_scan = page_scan

    async def epoch(self) -> str:
        """Return the name of this numbering; another file has another."""
        return await self._database.read(_epoch)

    async def last_seq(self) -> int:
        """Return the newest number; 0: the feed is empty."""
        return (await self._database.read(_bounds))[1]

    async def after(self, seq: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return the next events after number *seq*, oldest first: number and JSON."""
        return await self._database.read(lambda connection: _after(connection, seq, limit))

    async def positions(self) -> tuple[FeedPosition, ...]:
        """Return how far each epoch was taken in, the newest of each source last."""
        return await self._database.read(_positions)

    async def take_in(self, changes: Sequence[Change], *, now_ns: int) -> tuple[FeedEvent, ...]:
        """Add the events of changes, and the positions that they reach, in one transaction."""

        def transaction(connection: sqlite3.Connection) -> tuple[FeedEvent, ...]:
            reached: dict[str, int] = {}
            new: list[Happening] = []
            for change in changes:
                before = reached.get(change.epoch)
                before = _reached(connection, change.epoch) if before is None else before
                new += happenings(change, reached=before, node=self._node, now_ns=now_ns)
                reached[change.epoch] = max(before, change.revision)
            events = _add(connection, new)
            for change in {change.epoch: change for change in changes}.values():
                _reach(connection, change, reached[change.epoch])
            return events

        return await self._database.write(transaction)

    async def page(self, query: ReadFeed) -> FeedPage:
        """Return the events that fit; a page whose filter passes few ends early with *more*."""
        return await self._database.read(
            lambda connection: _page(connection, query, self._page_scan)
        )

    async def trim(self, *, keep: int, before_ns: int) -> int:
        """Delete a batch of the oldest events and return how many; 0: none is left to delete."""
        return await self._database.write(lambda connection: _trim(connection, keep, before_ns))

    async def probe(self) -> None:
        """Prove that the database takes writes, by one: what does not change is not written."""
        await self._database.write(
            lambda connection: connection.execute("UPDATE feed SET probes = probes + 1").rowcount
        )


def _epoch(connection: sqlite3.Connection) -> str:
    (epoch,) = connection.execute("SELECT epoch FROM feed").fetchone()
    return str(epoch)


def _bounds(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the oldest and the newest number; zeros: the feed is empty."""
    # Two selects: SQLite looks up one min() or max() in the tree, but scans for both at once.
    (oldest, newest) = connection.execute(
        "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)"
    ).fetchone()
    return oldest or 0, newest or 0


def _after(connection: sqlite3.Connection, seq: int, limit: int) -> list[tuple[int, bytes]]:
    rows = connection.execute(
        "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
    )
    return [(row["seq"], row["body"].encode()) for row in rows]


def _positions(connection: sqlite3.Connection) -> tuple[FeedPosition, ...]:
    rows = connection.execute("SELECT source, epoch, revision FROM positions ORDER BY ordinal")
    return tuple(
        FeedPosition(source=row["source"], epoch=row["epoch"], revision=row["revision"])
        for row in rows
    )


def _reached(connection: sqlite3.Connection, epoch: str) -> int:
    row = connection.execute("SELECT revision FROM positions WHERE epoch = ?", (epoch,)).fetchone()
    return int(row["revision"]) if row else 0


def _add(connection: sqlite3.Connection, new: Sequence[Happening]) -> tuple[FeedEvent, ...]:
    last_seq = _bounds(connection)[1]
    events = tuple(one.numbered(seq) for seq, one in enumerate(new, last_seq + 1))
    connection.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
        [
            (event.seq, *one.source, event.time_ns, event.model_dump_json())
            for one, event in zip(new, events, strict=True)
        ],
    )
    return events


def _reach(connection: sqlite3.Connection, change: Change, revision: int) -> None:
    connection.execute(
        "INSERT INTO positions (source, epoch, revision) VALUES (?, ?, ?) "
        "ON CONFLICT (epoch) DO UPDATE SET revision = excluded.revision",
        (source_of(change), change.epoch, revision),
    )


def _page(connection: sqlite3.Connection, query: ReadFeed, scan: int) -> FeedPage:
    oldest_seq, last_seq = _bounds(connection)
    events: list[FeedEvent] = []
    looked_at, next_seq, more = 0, last_seq, False
    for event in _within(connection, query, scan):
        if len(events) == query.limit or looked_at == scan:
            more = True
            break
        looked_at, next_seq = looked_at + 1, event.seq
        if query.filter.matches(event):
            events.append(event)
    return FeedPage(
        events=tuple(events),
        last_seq=last_seq,
        next_seq=next_seq if more else last_seq,
        more=more,
        oldest_seq=oldest_seq,
    )


def _within(connection: sqlite3.Connection, query: ReadFeed, scan: int) -> Iterator[FeedEvent]:
    rows = connection.execute(
        "SELECT body FROM events WHERE seq > ? AND time_ns BETWEEN ? AND ? ORDER BY seq LIMIT ?",
        (
            _int64(query.after_seq),
            _INT64_MIN if query.since_ns is None else _int64(query.since_ns),
            _INT64_MAX if query.until_ns is None else _int64(query.until_ns),
            scan + 1,
        ),
    )
    return (FeedEvent.model_validate_json(row["body"]) for row in rows)


def _int64(number: int) -> int:
    """Return the nearest number that SQLite can compare with: people may ask for any time."""
    return max(_INT64_MIN, min(number, _INT64_MAX))


def _trim(connection: sqlite3.Connection, keep: int, before_ns: int) -> int:
    oldest, newest = _bounds(connection)
    # Clocks jump: what lies behind the first young event stays, however old it claims to be.
    row = connection.execute(
        "SELECT seq FROM events WHERE time_ns >= ? ORDER BY seq LIMIT 1", (before_ns,)
    ).fetchone()
    first_young = int(row["seq"]) if row else newest + 1
    first_kept = min(first_young, newest - keep + 1, oldest + _TRIM_BATCH)
    return connection.execute("DELETE FROM events WHERE seq < ?", (first_kept,)).rowcount
