"""ports.Folders on disk: each plugin's files, moved by rename so that they are whole or absent.

`plugins/<id>/` is a plugin, `work/<id>/` one that is being made, `trash/<random>/` what is being
deleted; all three lie on one file system. A plugin's record names its root file system among the
folders there: while it is upgraded, it has two.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import structlog

from services.store.adapters import context
from services.store.adapters.content import DiskContent
from services.store.ports import Swept, UnpackedContext
from shared import disk, errdefs
from shared.oci.digest import Digest
from shared.oci.root import Root, sync_file_system
from shared.oci.unpack import unpack

log = structlog.get_logger()

_PROPAGATED = "propagated-mount"


class DiskFolders:
    """The plugins' folders below the data root."""

    def __init__(self, root: Path, content: DiskContent) -> None:
        self._plugins = root / "plugins"
        self._work = root / "work"
        self._trash = root / "trash"
        self._spool = root / "staging"
        self._content = content
        self._deletions: set[asyncio.Task[None]] = set()

    def make_folders(self) -> None:
        """Make the folders, private to root."""
        for folder in (self._plugins, self._work, self._trash, self._spool):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def home(self, plugin_id: str) -> Path:
        """Return the folder that holds all of a plugin's files."""
        return self._plugins / plugin_id

    def rootfs(self, plugin_id: str, name: str) -> Path:
        """Return where a plugin's root file system of this name lies."""
        return self.home(plugin_id) / name

    def propagated(self, plugin_id: str) -> Path:
        """Return the folder of a plugin's propagated mount."""
        return self.home(plugin_id) / _PROPAGATED

    async def unpack_context(self, spooled: Path, plugin_id: str) -> UnpackedContext:
        """Take a context apart into `work/<id>/rootfs` and the content store."""
        self._require_spooled(spooled)
        return await asyncio.to_thread(self._unpack, spooled, plugin_id)

    async def install(
        self, work_id: str, plugin_id: str, rootfs: str, *, is_synced: bool = True
    ) -> None:
        """Move staged files into place; see ports.Folders."""
        await asyncio.to_thread(self._install, work_id, plugin_id, rootfs, is_synced=is_synced)

    async def sync(self) -> None:
        """Put on the disk what was installed so far."""
        await asyncio.to_thread(self._sync)

    def is_installed(self, plugin_id: str, rootfs: str) -> bool:
        """Tell whether a plugin has a root file system of this name, whole or not."""
        return self.rootfs(plugin_id, rootfs).is_dir()

    async def rebuild(self, plugin_id: str, rootfs: str, layers: Sequence[str]) -> None:
        """Make a root file system anew from its layers' blobs; see ports.Folders."""
        await self.drop_rootfs(plugin_id, rootfs)
        await asyncio.to_thread(self._rebuild, plugin_id, rootfs, layers)

    async def put_back(self, work_id: str, plugin_id: str, rootfs: str) -> bool:
        """Undo an install that was never committed; tell whether there was anything."""
        try:
            with disk.full_disk_named(self._work):
                (self._work / work_id).mkdir(mode=0o700, exist_ok=True)
                self.rootfs(plugin_id, rootfs).rename(self._work / work_id / "rootfs")
        except FileNotFoundError:
            return False
        return True

    async def drop_rootfs(self, plugin_id: str, rootfs: str) -> None:
        """Move a root file system aside and delete it in the background; none is success."""
        await self._move_aside(self.rootfs(plugin_id, rootfs))

    async def discard(self, work_id: str) -> None:
        """Delete a staging folder; none is success."""
        await asyncio.to_thread(_delete, self._work / work_id)
        await asyncio.to_thread(_delete, self._work / f"{work_id}.tar")  # a job was given it

    async def bury(self, plugin_id: str) -> None:
        """Move a plugin's files aside and delete them in the background; none is success."""
        await self._move_aside(self.home(plugin_id))

    async def sweep(self, plugins: Mapping[str, Collection[str]], work: Collection[str]) -> Swept:
        """Delete what a crash left: all but these plugins, their root file systems, and work."""
        # A job's archive lies beside its folder, under its name.
        in_work = self._work.iterdir()
        work_left = [path for path in in_work if path.name.removesuffix(".tar") not in work]
        trash = list(self._trash.iterdir())
        folders, root_file_systems = [], []
        for home in tuple(self._plugins.iterdir()):
            if home.name not in plugins:
                if await self._is_moved_aside(home):
                    folders.append(home.name)
                continue
            kept = {*plugins[home.name], _PROPAGATED}
            root_file_systems += [
                f"{home.name}/{name}"
                for name in sorted({path.name for path in home.iterdir()} - kept)
                if await self._is_moved_aside(home / name)
            ]
        for leftover in (*work_left, *trash):
            self._delete_soon(leftover)
        return Swept(
            folders=tuple(folders),
            root_file_systems=tuple(root_file_systems),
            work=len(work_left),
            trash=len(trash),
        )

    def trash(self) -> Path:
        """Return the folder of what is being deleted."""
        return self._trash

    async def empty_trash(self) -> None:
        """Delete what could not be deleted before, once what holds it is gone."""
        await asyncio.gather(*self._deletions, return_exceptions=True)
        for left in self._trash.iterdir():
            self._delete_soon(left)

    async def drop_context(self, spooled: Path) -> None:
        """Delete a spooled context; none is success."""
        self._require_spooled(spooled)
        await asyncio.to_thread(spooled.unlink, missing_ok=True)

    async def close(self) -> None:
        """Leave the rest of the deleting to the next start."""
        for task in self._deletions:
            task.cancel()
        await asyncio.gather(*self._deletions, return_exceptions=True)

    def _unpack(self, spooled: Path, plugin_id: str) -> UnpackedContext:
        staged = self._work / plugin_id / "rootfs"
        with disk.full_disk_named(self._work):
            staged.mkdir(parents=True, mode=0o755)
            return context.take_apart(spooled, staged, self._content)

    async def _is_moved_aside(self, path: Path) -> bool:
        """Move a leftover aside if that can be done: else the store starts all the same."""
        try:
            await self._move_aside(path)
        except (errdefs.Error, OSError) as error:
            log.warning(
                "not deleted, tried again at the next start", path=str(path), reason=str(error)
            )
            return False
        return True

    async def _move_aside(self, path: Path) -> None:
        grave = self._trash / secrets.token_hex(8)
        try:
            with disk.full_disk_named(self._trash):
                path.rename(grave)
        except FileNotFoundError:
            return
        # Not synced: a folder that is back after a loss of power is moved aside by the next sweep.
        self._delete_soon(grave)

    def _install(self, work_id: str, plugin_id: str, rootfs: str, *, is_synced: bool) -> None:
        staged, home = self._work / work_id / "rootfs", self.home(plugin_id)
        with disk.full_disk_named(self._plugins):
            (home / _PROPAGATED).mkdir(mode=0o755, parents=True, exist_ok=True)
            home.chmod(0o700)
            if is_synced:
                sync_file_system(home)
            if staged.exists():
                staged.rename(home / rootfs)
            elif not (home / rootfs).exists():
                raise errdefs.NotFound(f"job {work_id} has staged no root file system")
            with contextlib.suppress(OSError):  # it is gone, or has more of a job in it
                staged.parent.rmdir()
            if is_synced:
                disk.sync_file(home)
                disk.sync_file(self._plugins)

    def _sync(self) -> None:
        with disk.full_disk_named(self._plugins):
            sync_file_system(self._plugins)

    def _rebuild(self, plugin_id: str, rootfs: str, layers: Sequence[str]) -> None:
        work = self._work / plugin_id
        _delete(work)  # of a rebuild that was cut short
        staged = work / "rootfs"
        with disk.full_disk_named(self._work):
            staged.mkdir(parents=True)
            staged.chmod(0o755)  # whatever the umask says
        for layer in layers:
            with self._content.verified(Digest(layer)) as blob:
                unpack(blob, staged)
        self._install(plugin_id, plugin_id, rootfs, is_synced=True)

    def _require_spooled(self, path: Path) -> None:
        # The path comes from another process: it names a file of the spool, or nothing.
        if path.parent != self._spool or path.name in ("", ".", ".."):
            raise errdefs.PermissionDenied(
                f"{path} is not a spooled context: contexts lie in {self._spool}"
            )

    def _delete_soon(self, path: Path) -> None:
        task = asyncio.create_task(asyncio.to_thread(_delete, path))
        self._deletions.add(task)
        task.add_done_callback(self._deletions.discard)


def _delete(path: Path) -> None:
    try:
        # Trees of any depth: an archive may hold one that the standard library can't walk.
        with Root(path.parent) as parent:
            parent.remove(path.name)
    except OSError as error:
        log.warning("not deleted, tried again at the next start", path=str(path), reason=str(error))
