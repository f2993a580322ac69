"""ports.ArchiveSpool: archives that clients brought, in files of the data root."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from services.gateway.adapters.spool import FolderSpool
from shared import errdefs

_ID: Final = re.compile(r"[0-9a-f]{32}")
#: A client that brought one has so long to say what is to be loaded.
_KEPT_S: Final = 3600.0


class FolderArchives:
    """Archives in the staging folder; each job is given a link of its own beside its folder."""

    def __init__(self, root: Path, *, limit: int) -> None:
        self._staging = root / "staging"
        self._work = root / "work"
        self._spool = FolderSpool(self._staging, limit=limit, prefix="archive-", what="the archive")

    async def keep(self, archive_id: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep an archive under an id; those that were forgotten are deleted."""
        await asyncio.to_thread(self._spool.prepare, stale_s=_KEPT_S)
        async with self._spool.receive(chunks) as path:
            path.rename(self._path(archive_id))
        os.utime(self._path(archive_id))

    def give(self, archive_id: str, job_id: str) -> bool:
        """Give a job an archive, which is its own from then on; tell whether it had none yet.

        Raises NotFound.
        """
        try:
            os.link(self._path(archive_id), self._given(job_id))
        except FileNotFoundError as error:
            raise errdefs.NotFound(
                f"archive {archive_id} is gone: it is kept for an hour; bring it again",
                detail={"archive": archive_id},
            ) from error
        except FileExistsError:
            return False  # the request is repeated, and this is its job
        return True

    def take_back(self, job_id: str) -> None:
        """Take an archive from a job that did not begin."""
        self._given(job_id).unlink(missing_ok=True)

    def delete(self, archive_id: str) -> None:
        """Delete an archive; jobs that have it keep it. None is success."""
        self._path(archive_id).unlink(missing_ok=True)

    def _path(self, archive_id: str) -> Path:
        if not _ID.fullmatch(archive_id):
            raise errdefs.NotFound(f"there is no archive {archive_id!r}")
        return self._staging / f"archive-{archive_id}.tar"

    def _given(self, job_id: str) -> Path:
        return self._work / f"{job_id}.tar"
