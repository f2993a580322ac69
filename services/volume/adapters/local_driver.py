"""The built-in driver: each volume is a folder of the data root, or what is mounted on it.

`volumes/<name>/_data` is a volume, `volumes/.trash/<random>` one that is being deleted.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import structlog

from services.volume.adapters import mounts
from services.volume.domain import local
from services.volume.domain.answer import Found
from shared import errdefs
from shared.contracts.volume import LOCAL
from shared.oci.root import Root
from shared.tasks.background import Tasks

T = TypeVar("T")

_DATA = "_data"
#: Mounts of other hosts hang when these do; so many of them before further ones wait.
_MOUNTING_THREADS = 16

log = structlog.get_logger()


class LocalDriver:
    """ports.Driver and ports.Sizes on a folder."""

    name = LOCAL
    is_held = False

    def __init__(self, folder: Path, *, mount_limit_s: float) -> None:
        self._folder = folder
        self._trash = folder / ".trash"
        self._mount_limit_s = mount_limit_s
        # Of its own: what hangs in a mount must not take the threads that others need.
        self._mounting = ThreadPoolExecutor(_MOUNTING_THREADS, thread_name_prefix="mount")
        self._deletions = Tasks()

    def open(self) -> None:
        """Make the folder, and delete what an earlier process had no time for."""
        for path, mode in ((self._folder, 0o701), (self._trash, 0o700)):
            path.mkdir(mode=mode, parents=True, exist_ok=True)
            path.chmod(mode)
        for leftover in self._trash.iterdir():
            self._delete_soon(leftover)

    async def close(self) -> None:
        """Leave the rest of the deleting to the next start."""
        await self._deletions.cancel_all()
        self._mounting.shutdown(wait=False, cancel_futures=True)

    def check(self, name: str, options: Mapping[str, str]) -> None:
        """Raise InvalidArgument, in dockerd's words, for what can be no volume of ours."""
        local.check_name(name)
        local.check_options(options)

    async def scope(self) -> str:
        """Return `local`."""
        return "local"

    async def get(self, name: str) -> Found | None:
        """Return a volume whose folder is there."""
        return self._found(name) if _is_folder_name(name) else None

    async def list(self) -> tuple[Found, ...]:
        """Return all volumes whose folders are there."""
        with _explained(f"error listing volumes of '{self._folder}'"):
            names = sorted(path.name for path in self._folder.iterdir())
        found = map(self._found, filter(_is_folder_name, names))
        return tuple(one for one in found if one is not None)

    async def create(self, name: str, options: Mapping[str, str]) -> None:
        """Make a volume's folder, on disk before it returns; a repeat is safe."""
        await asyncio.to_thread(self._create, name)

    async def remove(self, name: str) -> None:
        """Unmount a volume and move its folder aside; it is deleted in the background."""
        data = self._data(name)
        await self._in_mounting(lambda: mounts.unmount_all(data))
        grave = await asyncio.to_thread(self._bury, name)
        if grave is not None:
            self._delete_soon(grave)

    async def mount(self, name: str, owner: str, options: Mapping[str, str]) -> str:
        """Mount what the options say, once for all owners; return the volume's folder."""
        data, wanted = self._data(name), local.plan(options)
        if wanted is not None:
            await self._in_mounting(lambda: _mount_once(wanted, data))
        return str(data)

    async def unmount(self, name: str, owner: str, *, is_last: bool) -> None:
        """Unmount it when nobody has it any more."""
        data = self._data(name)
        if is_last:
            await self._in_mounting(lambda: mounts.unmount_all(data))

    async def path(self, name: str) -> str:
        """Return a volume's folder."""
        return str(self._data(name))

    async def size_bytes(self, name: str) -> int:
        """Return what a volume's files take, each counted once; -1: it cannot be told."""
        try:
            return await asyncio.to_thread(_size_bytes, self._data(name))
        except OSError as error:
            log.warning("volume cannot be measured", volume=name, reason=str(error))
            return -1

    def _data(self, name: str) -> Path:
        return self._folder / name / _DATA

    def _found(self, name: str) -> Found | None:
        data = self._data(name)
        try:
            info = data.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if name.startswith(".") or not stat.S_ISDIR(info.st_mode):
            return None
        created_s = int((self._folder / name).stat().st_ctime)
        return Found(name=name, mountpoint=str(data), created_at_ns=created_s * 10**9)

    def _create(self, name: str) -> None:
        data = self._data(name)
        with _explained(f"error while creating volume data path '{data}'"):
            for path, mode in ((data.parent, 0o701), (data, 0o755)):
                path.mkdir(exist_ok=True)
                path.chmod(mode)
            _sync(data.parent)
            _sync(self._folder)

    def _bury(self, name: str) -> Path | None:
        folder, grave = self._folder / name, self._trash / secrets.token_hex(8)
        with _explained(f"error removing volume path '{folder}'"):
            try:
                folder.rename(grave)
            except FileNotFoundError:
                return None
            _sync(self._folder)
        return grave

    def _delete_soon(self, path: Path) -> None:
        self._deletions.ensure(path.name, asyncio.to_thread(_delete, path))

    async def _in_mounting(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._mount_limit_s):
                return await loop.run_in_executor(self._mounting, work)
        except TimeoutError as error:
            raise errdefs.DeadlineExceeded(
                f"the kernel did not mount or unmount within {self._mount_limit_s:g} s: the "
                "device, or the host it is on, does not answer"
            ) from error


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn what the disk has into an error that says what failed, and what to do."""
    try:
        yield
    except OSError as error:
        raise errdefs.Error(f"{what}: {error.strerror}: look at the disk that holds it") from error


def _is_folder_name(name: str) -> bool:
    try:
        local.check_name(name)
    except errdefs.InvalidArgument:
        return False
    return True


def _mount_once(wanted: local.MountPlan, path: Path) -> None:
    with _explained(f"error while mounting volume '{path}'"):
        path.mkdir(parents=True, exist_ok=True)
    if not mounts.is_mounted(path):
        mounts.mount(wanted, path)


def _size_bytes(folder: Path) -> int:
    total, seen, pending = 0, set(), [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                info = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode):
                    pending.append(entry.path)
                elif (info.st_dev, info.st_ino) not in seen:
                    seen.add((info.st_dev, info.st_ino))
                    total += info.st_size
    return total


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _delete(path: Path) -> None:
    try:
        with Root(path.parent) as parent:
            parent.remove(path.name)
    except OSError as error:
        log.warning("not deleted, tried again at the next start", path=str(path), reason=str(error))
