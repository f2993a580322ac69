"""ports.Folders on disk: each plugin's files, moved by rename so that they are whole or absent.

`plugins/<id>/` is a plugin, `work/<id>/` one that is being made, `trash/<random>/` one that is
being deleted; all three lie on one file system.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Collection
from pathlib import Path

import structlog

from services.store.adapters import context, disk
from services.store.adapters.content import DiskContent
from services.store.ports import UnpackedContext
from shared import errdefs
from shared.oci.root import Root, sync_file_system

log = structlog.get_logger()


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

    def rootfs(self, plugin_id: str) -> Path:
        """Return where a plugin's root file system lies."""
        return self.home(plugin_id) / "rootfs"

    def propagated(self, plugin_id: str) -> Path:
        """Return the folder of a plugin's propagated mount."""
        return self.home(plugin_id) / "propagated-mount"

    async def unpack_context(self, spooled: Path, plugin_id: str) -> UnpackedContext:
        """Take a context apart into `work/<id>/rootfs` and the content store."""
        self._require_spooled(spooled)
        return await asyncio.to_thread(self._unpack, spooled, plugin_id)

    async def install(self, work_id: str, plugin_id: str) -> None:
        """Move staged files into place, on disk before it returns; a repeat is safe."""
        await asyncio.to_thread(self._install, work_id, plugin_id)

    async def put_back(self, work_id: str, plugin_id: str) -> None:
        """Undo an install that was never committed; nothing there is success."""
        with contextlib.suppress(FileNotFoundError):
            (self._work / work_id).mkdir(mode=0o700, exist_ok=True)
            self.rootfs(plugin_id).rename(self._work / work_id / "rootfs")

    async def inode(self, work_id: str) -> int:
        """Return what identifies a staged root file system; raises NotFound without one."""
        try:
            return (self._work / work_id / "rootfs").stat().st_ino
        except FileNotFoundError as error:
            raise errdefs.NotFound(f"job {work_id} has staged no root file system") from error

    async def exchange(self, work_id: str, plugin_id: str, new_inode: int) -> None:
        """Give a plugin the staged root file system, in one step; safe to repeat."""
        await asyncio.to_thread(self._exchange, work_id, plugin_id, new_inode)

    async def discard(self, work_id: str) -> None:
        """Delete a staging folder; none is success."""
        await asyncio.to_thread(_delete, self._work / work_id)

    async def bury(self, plugin_id: str) -> None:
        """Move a plugin's files aside and delete them in the background; none is success."""
        grave = self._trash / secrets.token_hex(8)
        try:
            self.home(plugin_id).rename(grave)
        except FileNotFoundError:
            return
        await asyncio.to_thread(disk.sync_file, self._plugins)
        self._delete_soon(grave)

    async def sweep(self, plugins: Collection[str], work: Collection[str]) -> None:
        """Delete all folders but those of these plugins and this work: leftovers of a crash."""
        for plugin_id in {path.name for path in self._plugins.iterdir()} - set(plugins):
            log.warning("folder without a plugin", plugin_id=plugin_id)
            await self.bury(plugin_id)
        for leftover in (*self._work.iterdir(), *self._trash.iterdir()):
            if leftover.parent == self._trash or leftover.name not in work:
                self._delete_soon(leftover)

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

    def _install(self, work_id: str, plugin_id: str) -> None:
        staged, home = self._work / work_id / "rootfs", self.home(plugin_id)
        with disk.full_disk_named(self._plugins):
            (home / "propagated-mount").mkdir(mode=0o755, parents=True, exist_ok=True)
            home.chmod(0o700)
            sync_file_system(home)
            if staged.exists():
                staged.rename(home / "rootfs")
            with contextlib.suppress(OSError):  # it is gone, or has more of a job in it
                staged.parent.rmdir()
            disk.sync_file(home)
            disk.sync_file(self._plugins)

    def _exchange(self, work_id: str, plugin_id: str, new_inode: int) -> None:
        staged, current = self._work / work_id / "rootfs", self.rootfs(plugin_id)
        if current.stat().st_ino != new_inode:
            sync_file_system(staged)
            disk.exchange(staged, current)
        disk.sync_file(current.parent)
        disk.sync_file(staged.parent)

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
