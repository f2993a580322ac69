"""A spooled plugin context, taken apart into a root file system and the content store."""

from __future__ import annotations

from pathlib import Path

from services.store.adapters.content import DiskContent
from services.store.ports import UnpackedContext
from shared import errdefs
from shared.oci import compression, plugin_context
from shared.oci.tar_header import TarError


def take_apart(spooled: Path, rootfs: Path, content: DiskContent) -> UnpackedContext:
    """Unpack `rootfs/` into the folder *rootfs* and keep it as a layer too.

    A context that the client compressed is read as well. Raises InvalidArgument in dockerd's
    words; the caller owns, and clears, *rootfs*. What was taken apart is deleted.
    """
    ingest = content.new_ingest()
    try:
        found = _unpack(spooled, rootfs, ingest)
        # Before the rest is synced: what is deleted need not be written first.
        spooled.unlink(missing_ok=True)
        layer = content.commit(ingest, found.layer.digest, found.layer.size)
    finally:
        ingest.unlink(missing_ok=True)
    return UnpackedContext(config=found.config, layer=layer, diff_id=found.layer.diff_id)


def _unpack(spooled: Path, rootfs: Path, ingest: Path) -> plugin_context.PluginContext:
    try:
        with spooled.open("rb") as file:
            return plugin_context.unpack_and_pack(
                compression.decompressed(file), rootfs=rootfs, blob=ingest
            )
    except TarError as error:
        raise errdefs.InvalidArgument(
            f"failed to read from tar: {error.message}", docker_unclassed=True
        ) from error
    except FileNotFoundError as error:
        if Path(error.filename or "") != spooled:
            raise
        # It goes before the commit: who crashes in between finds the request, and not its context.
        raise errdefs.Unavailable(
            f"the context {spooled} is gone: the request was given up, or a crash cut it short; "
            "send it again"
        ) from error
