"""The local driver on a real folder and the real mount table."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.volume.adapters import mounts
from services.volume.adapters.local_driver import LocalDriver
from shared import errdefs
from tests.support.wait import eventually

TMPFS = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[LocalDriver]:
    """Give the driver on an empty folder, and unmount what is left."""
    driver = LocalDriver(tmp_path / "volumes", mount_limit_s=5.0)
    driver.open()
    yield driver
    for found in await driver.list():
        await driver.unmount(found.name, "", is_last=True)
    await driver.close()


async def test_a_volume_is_a_folder(driver: LocalDriver, tmp_path: Path) -> None:
    """It is made once, with Docker's modes, listed with its time, and removed with its files."""
    for _ in range(2):
        await driver.create("data", {})
    place = tmp_path / "volumes" / "data" / "_data"
    assert [oct(p.stat().st_mode & 0o777) for p in (place.parent, place)] == ["0o701", "0o755"]
    (place / "deep").mkdir()
    (place / "deep" / "file").write_text("x")
    found = await driver.get("data")
    assert found is not None
    assert found.mountpoint == str(place) == await driver.path("data")
    assert await driver.list() == (found,)

    for _ in range(2):
        await driver.remove("data")

    assert await driver.get("data") is None
    trash = tmp_path / "volumes" / ".trash"
    await eventually(lambda: list(trash.iterdir()) == [])


async def test_only_folders_are_volumes(driver: LocalDriver, tmp_path: Path) -> None:
    """A link to elsewhere, a file, the trash and stray bytes are none, and no name leads out."""
    folder = tmp_path / "volumes"
    (folder / "file").write_text("")
    (folder / "linked").mkdir()
    (folder / "linked" / "_data").symlink_to("/etc")
    (folder / os.fsdecode(b"f\xe9e") / "_data").mkdir(parents=True)
    assert await driver.list() == ()
    for name in ("file", "linked", ".trash", "..", "a/../b", "nothing"):
        assert await driver.get(name) is None


async def test_sizes_count_each_file_once(driver: LocalDriver, tmp_path: Path) -> None:
    """Hard links and folders add nothing; links are not followed; what is gone is -1."""
    await driver.create("data", {})
    place = tmp_path / "volumes" / "data" / "_data"
    (place / "one").write_bytes(b"x" * 1000)
    os.link(place / "one", place / "two")
    (place / "sub").mkdir()
    (place / "sub" / "three").write_bytes(b"x" * 10)
    (place / "link").symlink_to("/etc/passwd")

    assert await driver.size_bytes("data") == 1010 + len("/etc/passwd")
    assert await driver.size_bytes("nothing") == -1


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Path]:
    """Give a disk that holds the volume `data`, and takes no change any more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    for place in ("volumes/.trash", "volumes/data/_data"):
        (folder / place).mkdir(parents=True)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.root
async def test_a_disk_that_refuses_is_told(refusing: Path) -> None:
    """What the disk does not take is an error with a reason, and the volume stays as it was."""
    driver = LocalDriver(refusing / "volumes", mount_limit_s=5.0)

    with pytest.raises(errdefs.Error, match="error removing volume path"):
        await driver.remove("data")
    with pytest.raises(errdefs.Error, match="error while creating volume data path"):
        await driver.create("other", {})
    with pytest.raises(errdefs.Error, match="error while mounting volume"):
        await driver.mount("other", "o", TMPFS)

    assert [found.name for found in await driver.list()] == ["data"]
    await driver.close()


@pytest.mark.root
async def test_options_are_mounted_once_for_all(driver: LocalDriver, tmp_path: Path) -> None:
    """A second owner finds the mount; the last one takes it away, and so does a remove."""
    await driver.create("tm", TMPFS)
    place = Path(await driver.mount("tm", "a", TMPFS))
    (place / "file").write_text("x")
    assert Path(await driver.mount("tm", "b", TMPFS)) == place
    assert (place / "file").exists()
    await driver.unmount("tm", "a", is_last=False)
    assert mounts.is_mounted(place)
    await driver.unmount("tm", "b", is_last=True)
    assert not mounts.is_mounted(place)

    await driver.mount("tm", "a", TMPFS)
    await driver.remove("tm")
    assert not mounts.is_mounted(place)


@pytest.mark.root
async def test_a_busy_mount_is_told(driver: LocalDriver) -> None:
    """Who still uses it keeps it from being unmounted."""
    await driver.create("tm", TMPFS)
    place = Path(await driver.mount("tm", "a", TMPFS))
    with (place / "file").open("w"), pytest.raises(errdefs.Conflict, match="is busy"):
        await driver.unmount("tm", "a", is_last=True)


def _mount_tmpfs(place: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """Give a tree of the host's, with a mount below a mount, that passes mounts on to its peers."""
    tree = tmp_path / "tree"
    for place in (tree, tree / "sub", tree / "sub" / "deep"):
        place.mkdir()
        _mount_tmpfs(place)
        subprocess.run(["mount", "--make-shared", place], check=True)
    yield tree
    subprocess.run(["umount", "--recursive", tree], check=True)


@pytest.mark.root
@pytest.mark.parametrize("o", ["rbind", "rbind,ro", "rbind,rprivate", "rbind,rshared"])
async def test_a_tree_is_unmounted_whole_and_only_here(
    driver: LocalDriver, tree: Path, o: str
) -> None:
    """What is mounted below goes with the volume, in use or not; the host keeps all of its tree."""
    options = {"type": "none", "device": str(tree), "o": o}
    await driver.create("tree", options)
    place = Path(await driver.mount("tree", "a", options))
    assert mounts.is_mounted(place / "sub" / "deep")
    (tree / "sub" / "file").touch()
    with (place / "sub" / "file").open():
        await driver.unmount("tree", "a", is_last=True)

    assert not any(map(mounts.is_mounted, (place, place / "sub", place / "sub" / "deep")))
    assert all(map(mounts.is_mounted, (tree, tree / "sub", tree / "sub" / "deep")))


@pytest.mark.root
async def test_what_the_host_mounts_in_a_bind_does_not_keep_it(
    driver: LocalDriver, tree: Path
) -> None:
    """A mount that came into the volume from its tree is no reason to be busy, and stays there."""
    options = {"type": "none", "device": str(tree), "o": "bind"}
    await driver.create("tree", options)
    place = Path(await driver.mount("tree", "a", options))
    (tree / "late").mkdir()
    _mount_tmpfs(tree / "late")
    assert mounts.is_mounted(place / "late")
    await driver.remove("tree")

    assert not mounts.is_mounted(place)
    assert mounts.is_mounted(tree / "late")


@pytest.mark.root
async def test_a_mount_out_of_reach_is_told(driver: LocalDriver) -> None:
    """What lies under another mount can not be unmounted, and is not waited for."""
    await driver.create("tm", TMPFS)
    place = Path(await driver.mount("tm", "a", TMPFS))
    _mount_tmpfs(place.parent)
    try:
        with pytest.raises(errdefs.Conflict, match="is mounted where it cannot be reached"):
            await driver.unmount("tm", "a", is_last=True)
    finally:
        mounts.unmount(place.parent)


@pytest.mark.root
async def test_the_kernels_reason_is_told(driver: LocalDriver) -> None:
    """A mount that fails leaves nothing mounted, and no password in the error."""
    options = {"type": "none", "device": "/nonexistent", "o": "bind,password=hunter2"}
    await driver.create("bad", options)
    with pytest.raises(errdefs.Error, match=r"password=\*+: no such file or directory"):
        await driver.mount("bad", "a", options)


async def test_a_host_that_has_no_address_is_told(driver: LocalDriver) -> None:
    """An NFS server's name is resolved before the kernel is asked."""
    options = {"type": "nfs", "device": ":/x", "o": f"addr={'x' * 64}"}  # longer than DNS has it
    await driver.create("far", options)
    with pytest.raises(errdefs.Error, match="error resolving passed in network volume address"):
        await driver.mount("far", "a", options)
