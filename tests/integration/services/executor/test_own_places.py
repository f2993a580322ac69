"""Containers that ask for what is Wherry's own, by every way that a mount or a device has."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from services.executor.adapters.own_places import OwnPlaces
from shared import errdefs
from shared.contracts.executor import ContainerMount, PropagatedMount
from shared.oci.devices import DeviceNode
from tests.support.containers import ExecutorNode

pytestmark = pytest.mark.root


def _bind(source: str, **more: Any) -> ContainerMount:
    return ContainerMount(
        **{"type": "bind", "source": source, "destination": "/mnt", "options": ("rbind",), **more}
    )


def _ways(node: ExecutorNode, link: Path) -> dict[str, ContainerMount]:
    database = node.data_root / "store" / "store.db"
    database.parent.mkdir(exist_ok=True)
    database.touch()
    if not link.is_symlink():
        link.symlink_to(node.data_root)
    return {
        "the data root": _bind(str(node.data_root)),
        "a database": _bind(str(database)),
        "from above, and back": _bind("/", options=("rbind", "rshared")),
        "read-only": _bind(str(node.data_root), options=("rbind", "ro")),
        "a bind by its option": _bind(str(node.data_root), type="none"),
        "a link": _bind(str(link)),
        "a link on the way": _bind(f"{link}/store"),
        "dots": _bind(f"{node.data_root}/store/../../d"),
        "relative": _bind("."),
        "relative and up": _bind("../.."),
        "the exec root": _bind(str(node.exec_root)),
        "through proc": _bind(f"/proc/self/root{node.data_root}"),
        "an overlay": _bind(
            "overlay", type="overlay", options=(f"lowerdir={node.data_root}:/usr",)
        ),
        "a stacked file system": _bind(str(node.data_root), type="ecryptfs", options=()),
    }


async def test_mounts_that_reach_wherrys_own_are_refused(
    node: ExecutorNode, tmp_path: Path
) -> None:
    """Whoever granted it, the container is not started, and nothing of it is left."""
    for number, (way, mount) in enumerate(_ways(node, tmp_path / "link").items()):
        with pytest.raises(errdefs.Error) as refused:
            await node.start_listening(f"c-{number}", mounts=(mount,))
        assert "given to no plugin" in refused.value.message, way
        assert isinstance(refused.value, errdefs.PermissionDenied)
    assert list(node.exec_root.glob("c/*/config.json")) == []


async def test_a_socket_elsewhere_is_wherrys_own_as_well(
    node: ExecutorNode, tmp_path: Path
) -> None:
    """An address that the node's settings name is refused by its path and from above."""
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        own = OwnPlaces(own=(path,))
        with pytest.raises(errdefs.PermissionDenied):
            own.refuse_mounts([_bind(str(path))], node.folder)
        assert own.refuse_mounts([_bind(str(tmp_path))], node.folder)[1] == ("/mnt/api.sock",)


@pytest.mark.parametrize("propagates", [False, True], ids=["alone", "propagating"])
async def test_a_folder_above_shows_all_but_wherrys_own(
    node: ExecutorNode, propagates: bool
) -> None:
    """In the container it is empty there, and on the host all is as it was."""
    key, other = node.data_root / "key", node.folder / "other"
    key.touch()
    other.touch()
    propagated = PropagatedMount(source=str(node.folder / "p"), destination="/data")

    await node.start_listening(
        "c-1",
        f"open=/mnt{other}",
        f"open=/mnt{key}",
        f"open=/mnt{node.exec_root}/c",
        mounts=(_bind("/"),),
        propagated_mount=propagated if propagates else None,
    )

    await node.says(
        "c-1",
        [f"opened /mnt{other}", f"not opened /mnt{key}", f"not opened /mnt{node.exec_root}/c"],
    )
    assert key.exists()
    assert (node.exec_root / "c" / "c-1").exists()


async def test_other_folders_are_mounted(node: ExecutorNode, tmp_path: Path) -> None:
    """What is not Wherry's is mounted as before, through a link to where it leads."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "there").touch()
    (tmp_path / "link").symlink_to("real")

    await node.start_listening("c-1", "open=/mnt/there", mounts=(_bind(f"{tmp_path}/link"),))

    await node.says("c-1", ["opened /mnt/there"])


def test_a_disk_that_holds_the_data_root_is_refused(tmp_path: Path) -> None:
    """The partition, the whole disk, and what a mapped disk is put together from."""
    device = tmp_path.stat().st_dev
    own = f"{os.major(device)}:{os.minor(device)}"
    places = OwnPlaces(own=(tmp_path,), block_devices=_fake_sys(tmp_path, own))

    denied = places.disks()

    assert {(8, 0), (8, 1)} <= denied
    assert (8, 16) not in denied
    for major, minor in ((8, 0), (8, 1), (os.major(device), os.minor(device))):
        with pytest.raises(errdefs.PermissionDenied, match="is a disk that holds"):
            places.refuse_devices([_disk(major, minor)])
    places.refuse_devices([_disk(8, 16)])


def _fake_sys(folder: Path, own: str) -> Path:
    """Make a mapped device of the data root's number, on the first partition of a disk."""
    devices = folder / "devices"
    for path, number in (("sda", "8:0"), ("sda/sda1", "8:1"), ("sdb", "8:16"), ("dm-0", own)):
        (devices / path).mkdir(parents=True)
        (devices / path / "dev").write_text(f"{number}\n")
    (devices / "sda/sda1/partition").write_text("1\n")
    (devices / "dm-0/slaves").mkdir()
    (devices / "dm-0/slaves/sda1").symlink_to(devices / "sda/sda1")
    blocks = folder / "block"
    blocks.mkdir()
    for path, number in (("sda", "8:0"), ("sda/sda1", "8:1"), ("sdb", "8:16"), ("dm-0", own)):
        (blocks / number).symlink_to(devices / path)
    return blocks


def _disk(major: int, minor: int) -> DeviceNode:
    return DeviceNode(
        path="/dev/x", type="b", major=major, minor=minor, file_mode=0o600, uid=0, gid=0
    )


async def test_all_devices_are_not_the_disk_of_the_data_root(node: ExecutorNode) -> None:
    """With every device allowed, a node of that disk can't even be made; others can be opened."""
    disks = sorted(OwnPlaces(own=(node.data_root,)).disks())
    tries = [f"disk={major}:{minor}" for major, minor in disks]

    await node.start_listening("c-1", *tries, "open=/dev/null", allow_all_devices=True)

    refused = [f"disk {errno.EPERM}" for _ in disks]
    await node.says("c-1", [*refused, "opened /dev/null"])


def test_real_disks_are_found() -> None:
    """What holds the root file system, where it is a disk, is among those that are denied."""
    found = OwnPlaces(own=(Path("/"),)).disks()

    device = Path("/").stat().st_dev
    number = (os.major(device), os.minor(device))
    entry = Path("/sys/dev/block") / f"{number[0]}:{number[1]}"
    assert (number in found) == entry.exists()
