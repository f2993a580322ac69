"""A folder that paths are resolved in, and that no path leads out of.

The kernel does the resolving (openat2 with RESOLVE_IN_ROOT): a symlink on the way, absolute or
climbing, ends inside, whoever put it there and however late.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final, Self

from shared import errdefs

_SYS_OPENAT2: Final = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_IN_ROOT: Final = 0x10
_OPEN_FOLDERS: Final = 64
_RETRIES: Final = 128  # of EAGAIN, when something was renamed while the kernel looked

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_FOLDER = _OpenHow(
    os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS
)


class Root:
    """An open root folder, with the folders last used in it kept open.

    Paths are relative and clean (``tar.clean``); the root itself is the empty string.
    Not for use by two threads at a time.
    """

    def __init__(self, path: str | Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the root and all folders kept open."""
        self.forget()
        os.close(self.fd)

    def forget(self) -> None:
        """Close the folders kept open: what their paths lead to may have changed."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def folder(self, path: str) -> int:
        """Return a descriptor (O_PATH) of the folder at *path*.

        It stays the Root's, good until the next ``remove`` or ``forget``, or until some
        sixty other folders were asked for. Raises OSError.
        """
        if not path:
            return self.fd
        fd = self._open.pop(path, None)
        if fd is None:
            fd = self._openat2(path)
            self._evict()
        self._open[path] = fd  # at the end: the first is the one longest unused
        return fd

    def make_folder(self, path: str) -> int:
        """Return ``folder(path)``, after making those that are missing with mode 0755."""
        try:
            return self.folder(path)
        except FileNotFoundError:
            missing = self._missing(path)
        for folder in missing:
            parent, _, name = folder.rpartition("/")
            fd = self.folder(parent)
            try:
                os.mkdir(name, 0o755, dir_fd=fd)
            except FileExistsError:
                # It exists and yet did not open: a symlink that leads nowhere.
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
            os.chmod(name, 0o755, dir_fd=fd)  # noqa: S103  # whatever the umask is
        return self.folder(path)

    def remove(self, path: str) -> None:
        """Remove whatever is at *path*, a folder with all it holds; nothing there is no error.

        Safe to repeat. No depth is too deep for it, as it is for shutil.rmtree.
        """
        folder, _, name = path.rpartition("/")
        try:
            fd = self.folder(folder)
            mode = os.lstat(name, dir_fd=fd).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        if stat.S_ISDIR(mode):
            _remove_tree(name, dir_fd=fd)
        else:
            os.unlink(name, dir_fd=fd)
        if stat.S_ISDIR(mode) or stat.S_ISLNK(mode):
            self.forget()

    def _missing(self, path: str) -> list[str]:
        """Return the folders to make so that *path* exists, outermost first."""
        missing = []
        while path:
            missing.append(path)
            path = path.rpartition("/")[0]
            try:
                self.folder(path)
            except FileNotFoundError:
                continue
            break
        return missing[::-1]

    def _evict(self) -> None:
        if len(self._open) >= _OPEN_FOLDERS:
            os.close(self._open.pop(next(iter(self._open))))

    def _openat2(self, path: str) -> int:
        for _ in range(_RETRIES):
            fd: int = _libc.syscall(
                ctypes.c_long(_SYS_OPENAT2),
                ctypes.c_int(self.fd),
                ctypes.c_char_p(os.fsencode(path)),
                ctypes.byref(_FOLDER),
                ctypes.c_size_t(ctypes.sizeof(_FOLDER)),
            )
            if fd >= 0:
                return fd
            code = ctypes.get_errno()
            if code == errno.ENOSYS:
                raise errdefs.Unimplemented("unpacking needs openat2, which Linux has since 5.6")
            if code not in (errno.EAGAIN, errno.EINTR):
                break
        raise OSError(code, os.strerror(code), path)


def _remove_tree(name: str, *, dir_fd: int) -> None:
    # Folders are lifted out before they are emptied: neither recursion nor descriptors grow
    # with the depth, which an archive decides.
    pending = [name]
    while pending:
        folder = pending.pop()
        fd = os.open(
            folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd
        )
        try:
            pending += _empty(fd, dir_fd)
        finally:
            os.close(fd)
        os.rmdir(folder, dir_fd=dir_fd)


def _empty(fd: int, dir_fd: int) -> list[str]:
    """Remove the files of a folder, and lift its folders to *dir_fd* under new names."""
    lifted = []
    with os.scandir(fd) as found:
        items = list(found)
    for item in items:
        if item.is_dir(follow_symlinks=False):
            lifted.append(f".removing-{secrets.token_hex(8)}")
            os.rename(item.name, lifted[-1], src_dir_fd=fd, dst_dir_fd=dir_fd)
        else:
            os.unlink(item.name, dir_fd=fd)
    return lifted


def sync_file_system(path: str | Path) -> None:
    """Write all of the file system *path* is on to its disk (syncfs); raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(fd):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(fd)
