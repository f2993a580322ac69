"""An owner's database, held by one process of the data root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shared.node.lock import ServiceLock
from shared.sqlite import Database


@asynccontextmanager
async def owned_database(path: Path, migrations: Path) -> AsyncIterator[Database]:
    """Open the database at *path* under a lock that lies beside it.

    Beside the service's lock in the exec root, for nodes with different exec roots may name one
    data root by mistake. Raises Conflict while another process has it.
    """
    lock = ServiceLock(path.with_name(f"{path.parent.name}.lock"))
    lock.acquire()
    database = Database(path, migrations)
    await database.open()
    try:
        yield database
    finally:
        await database.close()
        lock.release()
