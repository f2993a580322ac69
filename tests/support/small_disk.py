"""A disk so small that a test can fill it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_FILLER_CHUNK = bytes(4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDisk:
    """A tmpfs; needs root."""

    path: Path

    def fill(self) -> None:
        """Take all the room that is left."""
        fd = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while True:
                os.write(fd, _FILLER_CHUNK)
        except OSError:
            return
        finally:
            os.close(fd)

    def clear(self) -> None:
        """Undo fill."""
        self._filler.unlink()

    def make_read_only(self) -> None:
        """Refuse all writes, as a file system that met an error does."""
        self._remount("ro")

    def make_writable(self) -> None:
        """Undo make_read_only."""
        self._remount("rw")

    def _remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", self.path], check=True)

    @property
    def _filler(self) -> Path:
        return self.path / "filler"


@contextmanager
def small_disk(size: str = "1m") -> Iterator[SmallDisk]:
    """Mount a disk of *size* bytes (`k`, `m`) and take it away again."""
    with tempfile.TemporaryDirectory(prefix="wherry-disk-") as folder:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "wherry-test", folder], check=True
        )
        try:
            yield SmallDisk(path=Path(folder))
        finally:
            subprocess.run(["umount", folder], check=True)
