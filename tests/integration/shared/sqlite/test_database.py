"""Database on real files and a real disk."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared import errdefs
from shared.sqlite import Database
from tests.support.small_disk import small_disk
from tests.support.storm.disk import faulty_disk
from tests.support.wait import eventually

FIRST = "CREATE TABLE notes (n INTEGER PRIMARY KEY, text TEXT NOT NULL)"
SECOND = "ALTER TABLE notes ADD COLUMN author TEXT; CREATE TABLE authors (name TEXT)"


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """Give a folder with one migration."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_notes.sql").write_text(FIRST)
    return folder


@asynccontextmanager
async def opened(path: Path, migrations: Path) -> AsyncIterator[Database]:
    database = Database(path, migrations)
    try:
        await database.open()
        yield database
    finally:
        await database.close()


def add(text: str) -> Callable[[sqlite3.Connection], None]:
    """Return a change that adds a note."""

    def change(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes (text) VALUES (?)", (text,))

    return change


def texts(connection: sqlite3.Connection) -> list[str]:
    return [row["text"] for row in connection.execute("SELECT text FROM notes ORDER BY n")]


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path, migrations: Path) -> None:
    """A written row is read at once, and again when the file is opened anew."""
    path = tmp_path / "new" / "notes.db"
    async with opened(path, migrations) as database:
        await database.write(add("a"))
        assert await database.read(texts) == ["a"]

    async with opened(path, migrations) as database:
        assert await database.read(texts) == ["a"]


async def test_only_missing_migrations_are_applied(tmp_path: Path, migrations: Path) -> None:
    """A file of an older schema gets the later steps, in order, and keeps its rows."""
    path = tmp_path / "notes.db"
    async with opened(path, migrations) as database:
        await database.write(add("a"))
    (migrations / "0002_authors.sql").write_text(SECOND)
    (migrations / "0003_first.sql").write_text("INSERT INTO authors VALUES ('b')")

    for _ in range(2):
        async with opened(path, migrations) as database:
            assert await database.read(texts) == ["a"]
            count = await database.read(
                lambda connection: connection.execute("SELECT count(*) FROM authors").fetchone()[0]
            )
            assert count == 1


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, migrations: Path
) -> None:
    """A step is applied whole or not at all; the next start begins with it again."""
    path = tmp_path / "notes.db"
    async with opened(path, migrations):
        pass
    broken = migrations / "0002_authors.sql"
    broken.write_text("CREATE TABLE authors (name TEXT); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        async with opened(path, migrations):
            pass

    broken.write_text(SECOND)
    async with opened(path, migrations) as database:
        assert await database.read(texts) == []


async def test_a_newer_schema_is_refused(tmp_path: Path, migrations: Path) -> None:
    """A file that a newer version wrote isn't touched, and the error says what to do."""
    path = tmp_path / "notes.db"
    later = migrations / "0002_authors.sql"
    later.write_text(SECOND)
    async with opened(path, migrations) as database:
        await database.write(add("a"))
    later.unlink()

    with pytest.raises(errdefs.Conflict, match="newer Wherry"):
        async with opened(path, migrations):
            pass

    later.write_text(SECOND)
    async with opened(path, migrations) as database:
        assert await database.read(texts) == ["a"]


async def test_a_change_that_raises_leaves_nothing(tmp_path: Path, migrations: Path) -> None:
    """What a change did before it raised is rolled back, and the next change succeeds."""

    def half(connection: sqlite3.Connection) -> None:
        add("half")(connection)
        raise errdefs.Conflict("no")

    async with opened(tmp_path / "notes.db", migrations) as database:
        with pytest.raises(errdefs.Conflict):
            await database.write(half)
        await database.write(add("whole"))

        assert await database.read(texts) == ["whole"]


async def test_a_broken_constraint_stays_an_error_of_sqlite(
    tmp_path: Path, migrations: Path
) -> None:
    """A mistake of the caller isn't taken for a fault of the disk."""
    async with opened(tmp_path / "notes.db", migrations) as database:
        with pytest.raises(sqlite3.IntegrityError):
            await database.write(
                lambda connection: connection.execute("INSERT INTO notes (text) VALUES (NULL)")
            )


async def test_a_query_sees_one_state(tmp_path: Path, migrations: Path) -> None:
    """All statements of a query see the same state, whatever is committed between them."""
    first_read, committed = threading.Event(), threading.Event()

    def query(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
        before = texts(connection)
        first_read.set()
        assert committed.wait(10)
        return before, texts(connection)

    async with opened(tmp_path / "notes.db", migrations) as database:
        await database.write(add("a"))
        reading = asyncio.create_task(database.read(query))
        assert await asyncio.to_thread(first_read.wait, 10)
        await database.write(add("b"))
        committed.set()

        assert await reading == (["a"], ["a"])
        assert await database.read(texts) == ["a", "b"]


async def test_reading_cannot_leave_a_change_behind(tmp_path: Path, migrations: Path) -> None:
    """What a query changes by mistake is rolled back."""
    async with opened(tmp_path / "notes.db", migrations) as database:
        await database.read(add("by mistake"))

        assert await database.read(texts) == []


async def test_a_write_outlives_who_waits_for_it(tmp_path: Path, migrations: Path) -> None:
    """A caller that is cancelled amid a write ends at once; the write is committed."""
    begun, go_on = threading.Event(), threading.Event()

    def change(connection: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(10)
        add("a")(connection)

    async with opened(tmp_path / "notes.db", migrations) as database:
        writing = asyncio.create_task(database.write(change))
        assert await asyncio.to_thread(begun.wait, 10)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        go_on.set()
        await database.write(add("b"))

        assert await database.read(texts) == ["a", "b"]


async def test_closing_waits_for_what_is_under_way(tmp_path: Path, migrations: Path) -> None:
    """A write that was begun before close is on disk after it."""
    path = tmp_path / "notes.db"
    begun = threading.Event()

    def change(connection: sqlite3.Connection) -> None:
        begun.set()
        add("a")(connection)

    async with opened(path, migrations) as database:
        writing = asyncio.create_task(database.write(change))
        assert await asyncio.to_thread(begun.wait, 10)
    await writing

    async with opened(path, migrations) as database:
        assert await database.read(texts) == ["a"]


async def test_it_must_be_opened_first(tmp_path: Path, migrations: Path) -> None:
    """Use before open is told apart from a fault of the disk."""
    database = Database(tmp_path / "notes.db", migrations)
    with pytest.raises(errdefs.Internal, match="before it was opened"):
        await database.read(texts)
    with pytest.raises(errdefs.Internal, match="before it was opened"):
        await database.write(add("a"))
    await database.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path, migrations: Path) -> None:
    """A damaged file is reported as unavailable, with its path."""
    path = tmp_path / "notes.db"
    path.write_bytes(b"not a database, whatever its name says" * 100)

    with pytest.raises(errdefs.Unavailable, match=r"notes\.db"):
        async with opened(path, migrations):
            pass


async def test_a_file_that_another_program_locks_is_unavailable(
    tmp_path: Path, migrations: Path
) -> None:
    """Who holds the lock for long makes writes fail for now, and nothing else."""
    path = tmp_path / "notes.db"
    async with opened(path, migrations) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errdefs.Unavailable, match="locked"):
            await database.write(add("a"))
        assert await database.read(texts) == []
        other.close()
        await database.write(add("b"))

        assert await database.read(texts) == ["b"]


@pytest.mark.root
async def test_a_full_disk_is_told_and_nothing_is_lost(migrations: Path) -> None:
    """On a full disk a write raises ResourceExhausted and leaves nothing; later ones succeed."""
    with small_disk() as disk:
        async with opened(disk.path / "notes.db", migrations) as database:
            await database.write(add("before"))
            disk.fill()
            with pytest.raises(errdefs.ResourceExhausted, match="free some room"):
                await database.write(add("x" * 200_000))
            assert await database.read(texts) == ["before"]
            disk.clear()
            await database.write(add("after"))

            assert await database.read(texts) == ["before", "after"]


@pytest.mark.root
async def test_a_commit_that_failed_does_not_come_back(tmp_path: Path, migrations: Path) -> None:
    """What was refused for want of a sync is not there after a kill, once the disk is well."""
    folder = tmp_path / "disk-of-its-own"
    folder.mkdir()
    with faulty_disk(tmp_path, folder) as disk:
        path = tmp_path / "store" / "db"
        async with opened(path, migrations) as database:
            await database.write(add("kept"))
            with disk.failing_to_sync(), pytest.raises(errdefs.Unavailable):
                await database.write(add("refused"))
            assert await database.read(texts) == ["kept"]

            await eventually(lambda: _after_a_kill(path, tmp_path / "copy") == ["kept"])


@pytest.mark.root
async def test_nor_when_nobody_waits_for_it(tmp_path: Path, migrations: Path) -> None:
    """A commit fails after who asked for it has left: it does not come back either."""
    folder = tmp_path / "disk-of-its-own"
    folder.mkdir()
    may_commit = threading.Event()

    def late(connection: sqlite3.Connection) -> None:
        may_commit.wait()
        add("left")(connection)

    with faulty_disk(tmp_path, folder) as disk:
        path = tmp_path / "store" / "db"
        async with opened(path, migrations) as database:
            await database.write(add("kept"))
            with disk.failing_to_sync():
                writing = asyncio.create_task(database.write(late))
                await asyncio.sleep(0)
                writing.cancel()
                await asyncio.wait([writing])
                may_commit.set()
                await eventually(lambda: _after_a_kill(path, tmp_path / "copy") == ["kept", "left"])

            await eventually(lambda: _after_a_kill(path, tmp_path / "copy") == ["kept"])


def _after_a_kill(path: Path, copy: Path) -> list[str]:
    """Return what a start would find if the process were killed now."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", copy / f"db{suffix}")
    with contextlib.closing(sqlite3.connect(copy / "db")) as connection:
        connection.row_factory = sqlite3.Row
        return texts(connection)
