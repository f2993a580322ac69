"""What a version that is over leaves on the disk."""

from __future__ import annotations

import structlog

from services.store import ports
from shared import errdefs
from shared.contracts.plugin import Plugin

log = structlog.get_logger()


async def clear(folders: ports.Folders, job_id: str, gone: Plugin) -> None:
    """Delete a version's files, and what its job had staged, after the commit that ended it.

    What the disk keeps is left to the next start's sweep: nothing hangs on it any more.
    """
    try:
        await folders.drop_rootfs(gone.plugin_id, gone.rootfs)
    except (errdefs.Error, OSError) as error:
        log.warning(
            "files left until the next start",
            plugin=gone.name,
            rootfs=gone.rootfs,
            reason=str(error),
        )
    await folders.discard(job_id)
