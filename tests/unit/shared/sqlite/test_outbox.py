"""Revisions of a database with an outbox, and what is kept of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from shared.sqlite import outbox

_DAY_NS = 24 * 3600 * 10**9


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """Give the test the tables, in memory."""
    made = sqlite3.connect(":memory:")
    made.row_factory = sqlite3.Row
    made.executescript(
        "CREATE TABLE epoch (epoch TEXT); INSERT INTO epoch VALUES ('e');"
        "CREATE TABLE outbox (revision INTEGER PRIMARY KEY, at_ns INTEGER, body TEXT);"
        "CREATE TABLE inbox (message_id TEXT, at_ns INTEGER);"
    )
    yield made
    made.close()


def _add(connection: sqlite3.Connection, *revisions: int, at_ns: int = 0) -> None:
    rows = [(revision, at_ns, f"r{revision}") for revision in revisions]
    connection.executemany("INSERT INTO outbox VALUES (?, ?, ?)", rows)


def _kept(connection: sqlite3.Connection) -> list[int]:
    return [row["revision"] for row in outbox.after(connection, 0, 1000)]


def test_revisions_are_read_on(connection: sqlite3.Connection) -> None:
    """Before the first revision there is none; then they come in order, so many at a time."""
    assert (outbox.epoch(connection), outbox.last_revision(connection)) == ("e", 0)
    _add(connection, 3, 1, 2)
    assert outbox.last_revision(connection) == 3
    assert [row["body"] for row in outbox.after(connection, 1, 1)] == ["r2"]


def test_old_ones_go_but_not_the_newest(connection: sqlite3.Connection) -> None:
    """After a week a revision goes, after a day a reply; the newest revision stays."""
    _add(connection, 254, 255, 256)
    connection.executemany("INSERT INTO inbox VALUES (?, ?)", [("old", 0), ("new", 8 * _DAY_NS)])
    outbox.prune(connection, 256, now_ns=6 * _DAY_NS)
    assert _kept(connection) == [254, 255, 256]
    outbox.prune(connection, 256, now_ns=8 * _DAY_NS)
    assert _kept(connection) == [256]
    assert [row["message_id"] for row in connection.execute("SELECT * FROM inbox")] == ["new"]


def test_only_so_many_are_kept(connection: sqlite3.Connection) -> None:
    """Of more than are kept the oldest go, though not with each commit."""
    _add(connection, *range(1, 512))
    outbox.prune(connection, 511, now_ns=0, kept_rows=2)
    assert len(_kept(connection)) == 511
    _add(connection, 512)
    outbox.prune(connection, 512, now_ns=0, kept_rows=2)
    assert _kept(connection) == [511, 512]


def test_only_so_many_replies_are_kept(connection: sqlite3.Connection) -> None:
    """Of more replies than are kept the oldest go within the day, but none of the last hour."""
    rows = [(str(number), number) for number in range(5)]
    connection.executemany("INSERT INTO inbox VALUES (?, ?)", rows)
    outbox.prune(connection, 256, now_ns=_DAY_NS // 2, kept_replies=5)
    outbox.prune(connection, 512, now_ns=0, kept_replies=2)
    assert len(connection.execute("SELECT * FROM inbox").fetchall()) == 5
    outbox.prune(connection, 768, now_ns=_DAY_NS // 2, kept_replies=2)
    kept = connection.execute("SELECT message_id FROM inbox ORDER BY at_ns")
    assert [row["message_id"] for row in kept] == ["3", "4"]
