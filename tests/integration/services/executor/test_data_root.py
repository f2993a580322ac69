"""The data root's mount, and what others mount below it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.executor.adapters.mounts import HostMounts
from services.executor.domain.layout import Layout

pytestmark = pytest.mark.root


@pytest.fixture
def mounts(tmp_path: Path) -> HostMounts:
    """Give the mounts of a data root that is not shared yet."""
    data_root = tmp_path / "data"
    (data_root / "content").mkdir(parents=True)
    return HostMounts(layout=Layout(node="n", exec_root=tmp_path / "exec"), data_root=data_root)


@pytest.fixture
def disk(mounts: HostMounts) -> Iterator[Path]:
    """Give a place of the data root where an operator mounts a disk; nothing stays mounted."""
    yield mounts.data_root / "content"
    for mount in reversed(_below(mounts)):
        subprocess.run(["umount", mount], check=True)


def _mount_disk(place: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "disk", str(place)], check=True)
    (place / "kept").touch()


def _below(mounts: HostMounts) -> list[str]:
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (Path(line.split()[4]) for line in table)
    return [str(point) for point in points if point.is_relative_to(mounts.data_root)]


def test_released(mounts: HostMounts) -> None:
    """Of a data root in which nobody mounted anything, no mount is left."""
    mounts.share_data_root()
    assert _below(mounts) == [str(mounts.data_root)]
    mounts.release_data_root()
    assert _below(mounts) == []
    mounts.release_data_root()


def test_a_disk_stays(mounts: HostMounts, disk: Path) -> None:
    """A disk that was mounted while the node ran is there after it, and for the next one."""
    mounts.share_data_root()
    _mount_disk(disk)
    mounts.release_data_root()
    assert (disk / "kept").exists()
    mounts.share_data_root()
    assert (disk / "kept").exists()
    subprocess.run(["umount", str(disk)], check=True)
    mounts.release_data_root()
    assert _below(mounts) == []


def test_a_disk_of_before_stays(mounts: HostMounts, disk: Path) -> None:
    """A disk that was mounted before the node started is there while it runs, and after it."""
    _mount_disk(disk)
    mounts.share_data_root()
    assert (disk / "kept").exists()
    mounts.release_data_root()
    assert (disk / "kept").exists()
