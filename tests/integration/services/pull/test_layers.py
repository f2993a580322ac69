"""Layers as whole pulls unpack them: complete whatever they hold, and cut off where they attack."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import zstandard

from shared.contracts.job import JobState
from shared.oci import media_types
from tests.support.faulty_registry import FaultyRegistry
from tests.support.luck import check_database, check_disk, check_end
from tests.support.plugin_image import FakeImage, image
from tests.support.pulling_node import PullingNode, serve
from tests.support.redis import RedisServer
from tests.support.whole_pull import UNPACKED, WholePull, whole_pull

pytestmark = pytest.mark.root

_CAPABILITY = "0100000200000400000000000000000000000000"  # cap_net_bind_service
_TIME = 1_600_000_000
_FORMS: list[tuple[str, Callable[[bytes], bytes]]] = [
    (media_types.OCI_LAYER, bytes),
    (media_types.DOCKER_LAYER_GZIP, gzip.compress),
    (media_types.OCI_LAYER_ZSTD, zstandard.compress),
]


@pytest.fixture
async def node() -> AsyncIterator[WholePull]:
    async with whole_pull() as made:
        yield made


def layered(archive: bytes, layer_type: str, compress: Callable[[bytes], bytes]) -> FakeImage:
    """Return a plugin whose one layer is *archive*, and whose config does not say what it holds."""
    return image(layer_type=layer_type, diff_ids=(), compress=lambda _: compress(archive))


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mtime, made.mode = kind, _TIME, 0o644
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def everything() -> bytes:
    """Return an archive of all that a layer may hold."""
    out = io.BytesIO()
    capability = bytes.fromhex(_CAPABILITY).decode("latin-1")
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry("d/", tarfile.DIRTYPE, mode=0o2750, uid=1, gid=2))
        owned = entry("d/f", mode=0o4711, uid=70_000, gid=3_000_000, size=5)
        owned.pax_headers = {
            "SCHILY.xattr.security.capability": capability,
            "SCHILY.xattr.user.note": "kept",
        }
        archive.addfile(owned, io.BytesIO(b"hello"))
        archive.addfile(entry("d/hard", tarfile.LNKTYPE, linkname="d/f"))
        archive.addfile(entry("s", tarfile.SYMTYPE, linkname="/d/f"))
        archive.addfile(entry("fifo", tarfile.FIFOTYPE, mode=0o600))
        archive.addfile(entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666))
        archive.addfile(entry("n" * 200, size=3), io.BytesIO(b"abc"))
        sparse = entry("GNUSparseFile.0/hole", size=512 + 3)
        sparse.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "hole",
            "GNU.sparse.realsize": str(4 << 20),
        }
        stored = b"1\n1048576\n3\n".ljust(512, b"\0") + b"abc"
        archive.addfile(sparse, io.BytesIO(stored))
    return out.getvalue()


@pytest.mark.parametrize(("layer_type", "compress"), _FORMS, ids=["plain", "gzip", "zstd"])
async def test_a_layer_arrives_with_all_that_is_in_it(
    node: WholePull, layer_type: str, compress: Callable[[bytes], bytes]
) -> None:
    """Modes, owners, times, xattrs, links, devices, long names and holes are the archive's."""
    async with FaultyRegistry() as registry:
        remote = serve(registry, "a/p", "1", layered(everything(), layer_type, compress))
        await node.begin("j", "p:latest", remote)
        record = await node.ended("j")

    assert record.job.error is None
    [plugin] = node.inventory.all()
    root = node.root / "plugins" / plugin.plugin_id / plugin.rootfs
    made = (root / "d/f").stat()
    assert (root / "d/f").read_bytes() == b"hello"
    assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid) == (0o4711, 70_000, 3_000_000)
    assert (made.st_mtime, made.st_nlink) == (_TIME, 2)
    assert (root / "d").stat().st_mtime == _TIME
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o2750
    assert (root / "d/hard").stat().st_ino == made.st_ino
    assert os.getxattr(root / "d/f", "security.capability").hex() == _CAPABILITY
    assert (root / "s").readlink() == Path("/d/f")
    assert stat.S_ISFIFO((root / "fifo").stat().st_mode)
    assert (root / "null").stat().st_rdev == os.makedev(1, 3)
    assert (root / ("n" * 200)).read_bytes() == b"abc"
    hole = root / "hole"
    assert hole.read_bytes() == bytes(1 << 20) + b"abc" + bytes((3 << 20) - 3)
    assert hole.stat().st_blocks * 512 < 64 << 10


def zeros(count: int) -> bytes:
    """Return an archive of one file of zeros."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(entry("zeros", size=count), io.BytesIO(bytes(count)))
    return out.getvalue()


def hollow(size: int) -> bytes:
    """Return an archive of one file that is a single hole."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        made = entry("hole")
        made.pax_headers = {"GNU.sparse.size": str(size), "GNU.sparse.map": f"{size},0"}
        archive.addfile(made)
    return out.getvalue()


def many(count: int) -> bytes:
    """Return an archive of nothing but names."""
    return b"".join(entry(f"f{number}").tobuf() for number in range(count)) + bytes(1024)


_TOO_BIG = f"the archive's files are more than {UNPACKED.size} bytes"


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (zeros(2 * UNPACKED.size), _TOO_BIG),
        (hollow(1 << 62), _TOO_BIG),
        (many(UNPACKED.entries + 1), f"the archive has more than {UNPACKED.entries} entries"),
        (zeros(1) + bytes(UNPACKED.archive), f"is more than {UNPACKED.archive} bytes"),
    ],
    ids=["zeros", "hole", "names", "tail"],
)
async def test_a_bomb_is_cut_off(
    node: WholePull, compress: Callable[[bytes], bytes], archive: bytes, said: str
) -> None:
    """What unpacks to more than is allowed fails the pull, says so, and leaves nothing."""
    bomb = layered(archive, media_types.DOCKER_LAYER_GZIP, compress)
    assert len(bomb.layers[0]) < 1 << 20
    async with FaultyRegistry() as registry:
        await node.begin("j", "p:latest", serve(registry, "a/p", "1", bomb))
        record = await node.ended("j")
        await node.idle()

    assert record.job.state is JobState.FAILED
    assert said in (record.job.error or {})["message"]
    check_end(node, "j")
    check_disk(node, {})
    await check_database(node)


async def test_memory_does_not_grow_with_a_layer(redis_server: RedisServer) -> None:
    """A layer twenty times as big takes hardly more memory: it passes through in pieces."""
    size = 96 << 20
    big = layered(
        entry("big", size=size).tobuf() + os.urandom(size) + bytes(1024),
        media_types.OCI_LAYER,
        bytes,
    )
    small = image({"bin/p": os.urandom(4 << 20)})
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(PullingNode(redis_server))
        registry = await stack.enter_async_context(FaultyRegistry())
        peaks = []
        for name, found in (("small", small), ("big", big)):
            remote = serve(registry, f"a/{name}", "1", found)
            _, ended = await node.run(name, kind="pull", name=f"{name}:1", remote=remote)
            assert ended.error is None
            peaks.append(_peak_bytes(node.pull.pid))

    assert peaks[1] < peaks[0] + size // 4


def _peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024
