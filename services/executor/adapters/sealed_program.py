"""runc's program as a sealed file in memory."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

#: Those that runc looks for, and no other: nobody can change the file, or what may be done to it.
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
#: To be executed, for kernels since 6.3; those before refuse what they do not know.
_MFD_EXEC: Final = 0x10
_MFD: Final = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
_ELF: Final = b"\x7fELF"
_SELINUX: Final = Path("/sys/fs/selinux/enforce")


class SealedProgram:
    """A copy of a program that nothing can write to, for as long as this process lives.

    runc keeps its program from being overwritten by a container: it mounts it anew, read-only, for
    each container that it makes. A sealed file in memory it takes as it is.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        #: What the copy was made of, or would have been.
        self._seen: tuple[int, ...] = ()
        self._is_sealed = False

    def path(self) -> str:
        """Return a path that runs the copy; that of the program itself where there can be none.

        A program that was replaced since, as by an upgrade of its package, is copied anew.
        """
        try:
            found = Path(self._path).stat()
            seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if seen != self._seen:
                self._seen, self._is_sealed = seen, False
                self._is_sealed = self._copy()
        except OSError:
            self._is_sealed = False  # who runs the program says what is wrong with it
        return f"/proc/{os.getpid()}/fd/{self._fd}" if self._is_sealed else self._path

    def _copy(self) -> bool:
        """Copy the program; tell whether it is one that can be run as a copy."""
        content = Path(self._path).read_bytes()
        # A script's interpreter would be given the copy's path; SELinux goes by the file's label.
        if not content.startswith(_ELF) or _SELINUX.exists():
            return False
        fd = _memory_file()
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        os.fchmod(fd, 0o500)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        if self._fd < 0:
            self._fd = fd
        else:
            # In one step: somebody may be about to run it by this number.
            os.dup2(fd, self._fd, inheritable=False)
            os.close(fd)
        return True


def _memory_file() -> int:
    try:
        return os.memfd_create("runc", _MFD | _MFD_EXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create("runc", _MFD)
