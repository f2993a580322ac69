"""The mount table, changed with mount(2) and umount2(2)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.executor.domain import mount_table
from services.executor.domain.layout import Layout
from services.executor.domain.mount_table import MountPoint
from shared import errdefs

_MS_BIND = 4096
_MS_REC = 16384
_MS_SHARED = 1 << 20
_MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8
_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8

log = structlog.get_logger()

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMounts:
    """ports.Mounts."""

    layout: Layout
    data_root: Path

    def share_data_root(self) -> None:
        """Make the data root a shared mount: a container with a propagated folder needs it.

        runc fails with `pivot_root: invalid argument` where its root file system is not on one.
        """
        self.data_root.mkdir(mode=0o755, parents=True, exist_ok=True)
        _share(self.data_root)

    def share_folder(self, path: str) -> None:
        """Make a folder, if it is missing, and a shared mount of its own; raises OSError.

        The data root's mount is not enough: runc makes the one that holds the root file system
        private within the container.
        """
        # Not what it lies in: that is gone once a plugin is removed, and has to stay so.
        Path(path).mkdir(mode=0o755, exist_ok=True)
        _share(Path(path))

    def unshare_folder(self, path: str) -> None:
        """Undo share_folder, unless something is mounted below: volumes stay."""
        folder = Path(path).resolve()
        mounts = _mounts()
        here = mount_table.deepest_first(mounts, folder)
        if len(here) == 1 and mount_table.is_bind_on_itself(mounts, here[0]):
            with contextlib.suppress(errdefs.Conflict):
                _unmount(here[0])

    def unmount_data(self, path: str) -> None:
        """Unmount all at and below a path of the data root, deepest first.

        Raises PermissionDenied for a path elsewhere, Conflict naming a mount that is busy.
        """
        resolved = Path(path).resolve()
        root = self.data_root.resolve()
        if resolved == root or not resolved.is_relative_to(root):
            raise errdefs.PermissionDenied(
                f"{path} is not below the data root {root}: the executor unmounts nothing else"
            )
        _unmount_tree(resolved)

    def unmount_sockets(self, container_id: str) -> None:
        """Unmount what a container mounted below its socket folder; raises as unmount_data."""
        _unmount_tree(self.layout.bundle(container_id).path.resolve())

    def release_data_root(self) -> None:
        """Undo share_data_root, unless something is mounted below: it is somebody else's.

        What plugins and volumes mounted there, their owners have unmounted before.
        """
        root = self.data_root.resolve()
        mounts = _mounts()
        own = mount_table.at(mounts, root)
        if own is None or not mount_table.is_bind_on_itself(mounts, own):
            return
        left = [str(m.path) for m in mount_table.deepest_first(mounts, root) if m.path != root]
        if left:
            # Unmounting a shared mount takes along what is below it, on the host, too.
            log.info("data root stays a shared mount", mounted_below=left)
        else:
            _unmount_own(own)


def mount_tmpfs(folder: Path, *, size_bytes: int, mode: int) -> None:
    """Mount an empty tmpfs; raises as a shared mount does."""
    options = f"size={size_bytes},mode={mode:o}".encode()
    flags = ctypes.c_ulong(_MS_NOSUID_NODEV_NOEXEC)
    if _libc.mount(b"wherry-secrets", os.fsencode(folder), b"tmpfs", flags, options):
        raise _mount_error(f"cannot mount a tmpfs at {folder}", ctypes.get_errno())


def unmount_folder(folder: Path) -> None:
    """Take away what is mounted at a folder, in use or not; nothing there is success."""
    while mount_table.at(_mounts(), folder.resolve()) is not None:
        if _libc.umount2(os.fsencode(folder), _MNT_DETACH | _UMOUNT_NOFOLLOW):
            raise _mount_error(f"cannot unmount {folder}", ctypes.get_errno())


def _mount_error(what: str, error: int) -> errdefs.Error:
    message = f"{what}: {os.strerror(error)}"
    if error == errno.EPERM:
        return errdefs.PermissionDenied(f"{message}; the executor needs CAP_SYS_ADMIN")
    return errdefs.Internal(message)


def _share(folder: Path) -> None:
    """Make a mount shared; a folder that is none is bound on itself first."""
    path = folder.resolve()
    mount = mount_table.at(_mounts(), path)
    if mount is None:
        _mount(str(path), str(path), _MS_BIND | _MS_REC)
    if mount is None or not mount.shared:
        _mount("none", str(path), _MS_REC | _MS_SHARED)


def _mounts() -> list[MountPoint]:
    return mount_table.parse(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))


def _unmount_tree(path: Path) -> None:
    for mount in mount_table.deepest_first(_mounts(), path):
        _unmount(mount)


def _mount(source: str, target: str, flags: int) -> None:
    """Call mount(2); raises PermissionDenied, or Internal for what nobody expects."""
    if _libc.mount(os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None):
        raise _mount_error(f"cannot make {target} a shared mount", ctypes.get_errno())


def _unmount_own(mount: MountPoint) -> None:
    """Unmount a bind on itself with nothing below, though files of it are open.

    The store's database is one of them. Its files stay the same and where they are.
    """
    try:
        _unmount(mount)
    except errdefs.Conflict:
        _libc.umount2(os.fsencode(mount.path), _MNT_DETACH | _UMOUNT_NOFOLLOW)


def _unmount(mount: MountPoint) -> None:
    if _libc.umount2(os.fsencode(mount.path), _UMOUNT_NOFOLLOW) == 0:
        return
    error = ctypes.get_errno()
    if error in {errno.EINVAL, errno.ENOENT}:
        return  # gone meanwhile: by its owner, or with a peer in its propagation group
    if error == errno.EBUSY:
        raise errdefs.Conflict(
            f"mount {mount.path} is busy; end what uses it and try again",
            detail={"mount": str(mount.path)},
        )
    raise errdefs.Internal(f"cannot unmount {mount.path}: {os.strerror(error)}")
