"""The disk that a node's databases lie on, which may fail and be slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.node import eventually

_CODE: Final = Path(__file__).parents[3]
#: Whose databases lie there.
_FOLDERS: Final = ("store", "event", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyDisk:
    """A FUSE file system over a folder; needs root."""

    control: Path

    @contextmanager
    def failing(self, error: str, *, share: float) -> Iterator[None]:
        """Have a share of all writes and syncs, of EIO also reads, fail in this block."""
        yield from self._told(error=error, share=share, sync_s=0.0)

    @contextmanager
    def failing_to_sync(self) -> Iterator[None]:
        """Have each sync fail in this block, after all was written."""
        yield from self._told(error="EIO", share=1.0, sync_s=0.0, calls=["fsync"])

    @contextmanager
    def slow(self, sync_s: float) -> Iterator[None]:
        """Have each sync take longer in this block."""
        yield from self._told(error="", share=0.0, sync_s=sync_s)

    def _told(self, **told: object) -> Iterator[None]:
        fresh = self.control.with_suffix(".new")
        fresh.write_text(json.dumps(told))
        fresh.replace(self.control)
        try:
            yield
        finally:
            self.control.unlink()


@contextmanager
def faulty_disk(root: Path, folder: Path) -> Iterator[FaultyDisk]:
    """Put the databases of a data root on such a disk, whose own files lie in *folder*."""
    backing, mountpoint, control = root / "disk", folder / "f", folder / "disk.json"
    mountpoint.mkdir()
    for name in _FOLDERS:
        (backing / name).mkdir(parents=True, mode=0o700)
        (root / name).symlink_to(mountpoint / name)
    argv = [sys.executable, "-m", "tests.support.storm.faulty_fs"]
    with subprocess.Popen(
        [*argv, str(backing), str(mountpoint), str(control)], cwd=_CODE
    ) as served:
        try:
            eventually(lambda: os.path.ismount(mountpoint), "the file system is mounted")
            yield FaultyDisk(control=control)
        finally:
            subprocess.run(["umount", "--lazy", str(mountpoint)], check=True)
            served.kill()
