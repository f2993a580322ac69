"""One database file: migrations, one writing and one reading connection, each in its own thread."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from shared import errdefs
from shared.sqlite import tracing
from shared.sqlite.metrics import TRANSACTION_SECONDS

T = TypeVar("T")

#: Of pages in each connection; SQLite's own is four times that. The kernel has them, too.
_CACHE_KB = 512

#: Seconds before what a commit that failed may have left in the log is written over, tried again:
#: at first, and at most.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0

_FULL = frozenset({sqlite3.SQLITE_FULL})
_BROKEN = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)


class Database:
    """A SQLite file in WAL mode with synchronous=FULL: what is committed survives power loss."""

    def __init__(self, path: Path, migrations: Path) -> None:
        """Name the file, and the folder of `NNNN_….sql` files that bring it up to date."""
        self._path = path
        self._seconds = TRANSACTION_SECONDS.labels(path.stem)
        self._migrations = migrations
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-reader")
        self._write_connection: sqlite3.Connection | None = None
        self._read_connection: sqlite3.Connection | None = None
        #: Whether a commit failed and none has succeeded since.
        self._is_uncertain = False
        self._covering: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the file, made if missing, and apply the migrations that it lacks."""
        self._write_connection = await self._in(self._writer, self._connect)
        await self._in(self._writer, self._migrate)
        self._read_connection = await self._in(self._reader, self._connect)

    async def close(self) -> None:
        """Close both connections; waits for what is under way."""
        for executor, connection in (
            (self._reader, self._read_connection),
            (self._writer, self._write_connection),
        ):
            if connection is not None:
                await self._in(executor, connection.close)
        # After the last write, which may have begun it.
        if self._covering is not None:
            self._covering.cancel()
            await asyncio.gather(self._covering, return_exceptions=True)
        for executor in (self._reader, self._writer):
            executor.shutdown(wait=True)

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run *change* in one transaction and return its result once it is on disk.

        Raises ResourceExhausted when the disk is full and Unavailable when it fails; then, and
        when *change* raises, nothing of it remains, not after a kill either once the disk is well.
        """
        with tracing.writing(self._path.stem), self._seconds.time():
            future = self._begun(self._writer, lambda: self._transact(change))
            # Also where who waits is cancelled before the commit fails.
            future.add_done_callback(self._cover_soon)
            return await asyncio.shield(future)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run *query* on what was last committed: all its statements see the same state."""
        with tracing.reading(self._path.stem):
            return await self._in(self._reader, lambda: self._snapshot(query))

    def _cover_soon(self, _written: asyncio.Future[T]) -> None:
        if self._is_uncertain and (self._covering is None or self._covering.done()):
            self._covering = asyncio.create_task(self._cover())

    async def _cover(self) -> None:
        """Commit something else where a commit failed, as soon as the disk takes it.

        A sync that fails leaves a commit in the log that a start after a kill would believe in.
        """
        pause_s = _FIRST_PAUSE_S
        while self._is_uncertain:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            with contextlib.suppress(errdefs.Error, sqlite3.Error):
                await self._in(self._writer, lambda: self._transact(_touch))

    async def _in(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        # A commit under way can't be called back: who gives up waiting must not think it undone.
        return await asyncio.shield(self._begun(executor, work))

    def _begun(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(executor, self._translated, work)

    def _translated(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _FULL:
                raise errdefs.ResourceExhausted(
                    f"the disk that holds {self._path} is full: free some room, then try again"
                ) from error
            if code in _BROKEN:
                raise errdefs.Unavailable(
                    f"{self._path} cannot be read or written ({error}): look at its disk "
                    "and at who else has it open"
                ) from error
            raise

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        return connection

    def _migrate(self) -> None:
        connection = self._opened(self._write_connection)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        steps = sorted(self._migrations.glob("[0-9][0-9][0-9][0-9]_*.sql"))
        if version > len(steps):
            raise errdefs.Conflict(
                f"{self._path} was written by a newer Wherry (schema {version}, this one knows "
                f"{len(steps)}): start that version, or restore a copy from before the upgrade"
            )
        for number, step in enumerate(steps[version:], start=version + 1):
            connection.executescript(
                f"BEGIN IMMEDIATE; {step.read_text()}; PRAGMA user_version = {number}; COMMIT;"
            )

    def _transact(self, change: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._opened(self._write_connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = change(connection)
            self._commit(connection)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error:
            self._is_uncertain = True
            raise
        self._is_uncertain = False

    def _snapshot(self, query: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._opened(self._read_connection)
        connection.execute("BEGIN DEFERRED")
        try:
            return query(connection)
        finally:
            connection.execute("ROLLBACK")

    def _opened(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise errdefs.Internal(f"{self._path} was used before it was opened")
        return connection


def _touch(connection: sqlite3.Connection) -> None:
    """Write what is there already: the log gets a page of it."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")
