"""Creating a plugin from its tar in one pass."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from shared import errdefs
from shared.oci import plugin_context, unpack
from shared.oci.digest import digest_of
from shared.oci.plugin_context import PluginContext
from shared.oci.tar_header import TarError

pytestmark = pytest.mark.root


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def archive(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for item in members:
            if isinstance(item, tarfile.TarInfo):
                made.addfile(item)
            else:
                name, content = item
                made.addfile(member(name, size=len(content), mode=0o755), io.BytesIO(content))
    return out.getvalue()


def create(tmp_path: Path, data: bytes) -> PluginContext:
    (tmp_path / "rootfs").mkdir()
    return plugin_context.unpack_and_pack(
        io.BytesIO(data), rootfs=tmp_path / "rootfs", blob=tmp_path / "blob"
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_root_file_system_is_unpacked_and_packed(tmp_path: Path) -> None:
    """What lands in the folder is what the layer holds, and the digests are the blob's."""
    binary = os.urandom(3 << 20)
    context = create(
        tmp_path,
        archive(
            ("config.json", b'{"description":"x"}'),
            member("rootfs/", type=tarfile.DIRTYPE, mode=0o755),
            ("rootfs/bin/p", binary),
            member("rootfs/bin/q", type=tarfile.LNKTYPE, linkname="rootfs/bin/p"),
            member("rootfs/sh", type=tarfile.SYMTYPE, linkname="rootfs/bin/p"),
            ("ignored/file", b"x"),
            ("rootfs2/file", b"x"),
        ),
    )
    blob = (tmp_path / "blob").read_bytes()
    (tmp_path / "again").mkdir()
    diff_id, _ = unpack.unpack(io.BytesIO(blob), tmp_path / "again")

    assert context.config == b'{"description":"x"}'
    assert (context.layer.digest, context.layer.size) == (digest_of(blob), len(blob))
    assert context.layer.diff_id == diff_id
    assert tree(tmp_path / "rootfs") == {"bin/p": binary, "bin/q": binary}
    assert tree(tmp_path / "again") == tree(tmp_path / "rootfs")
    assert (tmp_path / "rootfs/sh").readlink() == Path("rootfs/bin/p")
    assert context.unpacked.entries == 4


def test_names_are_cleaned_and_the_last_config_counts(tmp_path: Path) -> None:
    """Leading slashes and dots are dropped, and the config may stand anywhere."""
    context = create(
        tmp_path,
        archive(
            ("./config.json", b"old"),
            ("/rootfs/a", b"a"),
            member("rootfs/h", type=tarfile.LNKTYPE, linkname="RootFS/a"),
            ("/config.json", b"new"),
            ("sub/config.json", b"no"),
        ),
    )

    assert context.config == b"new"
    assert tree(tmp_path / "rootfs") == {"a": b"a", "h": b"a"}


def test_an_empty_rootfs_is_enough(tmp_path: Path) -> None:
    """The folder alone makes a plugin, though one that can't run."""
    context = create(
        tmp_path, archive(("config.json", b"{}"), member("rootfs", type=tarfile.DIRTYPE))
    )

    assert context.unpacked.entries == 1
    assert tree(tmp_path / "rootfs") == {}


def test_whiteouts_act_here_and_stay_in_the_layer(tmp_path: Path) -> None:
    """A whiteout, even one with content, is applied and handed on."""
    context = create(
        tmp_path,
        archive(("config.json", b"{}"), ("rootfs/a", b"a"), ("rootfs/.wh.a", b"junk")),
    )
    (tmp_path / "again").mkdir()
    blob = io.BytesIO((tmp_path / "blob").read_bytes())
    diff_id, _ = unpack.unpack(blob, tmp_path / "again")

    assert tree(tmp_path / "rootfs") == tree(tmp_path / "again") == {}
    assert diff_id == context.layer.diff_id


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (archive(("config.json", b"{}")), "no rootfs found"),
        (b"", "no rootfs found"),
        (archive(("rootfs/a", b"")), "config not found"),
        (archive(("rootfs/../../a", b"")), "outside of the root"),
        (archive(member("rootfs/s", type=tarfile.SYMTYPE, linkname="../x")), "invalid symlink"),
        (archive(("config.json", b" " * (5 << 20))), "config.json is larger than"),
    ],
)
def test_contexts_that_make_no_plugin_are_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    """What is missing or leads outside is named."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        create(tmp_path, data)


@pytest.mark.parametrize("data", [b"not a tar" * 100, b"\x1f\x8b" + bytes(600)])
def test_only_a_plain_tar_is_taken(tmp_path: Path, data: bytes) -> None:
    """Anything else, a compressed one too, is a broken archive."""
    with pytest.raises(TarError):
        create(tmp_path, data)


class Stopped(Exception):
    """What the test's checkpoint raises."""


def test_a_checkpoint_ends_the_work_and_leaves_the_staging(tmp_path: Path) -> None:
    """What it raises comes out; what was written is the caller's to remove."""
    (tmp_path / "rootfs").mkdir()
    data = archive(*[(f"rootfs/f{number}", b"x") for number in range(10)])

    def checkpoint() -> None:
        if (tmp_path / "rootfs/f3").exists():
            raise Stopped

    with pytest.raises(Stopped):
        plugin_context.unpack_and_pack(
            io.BytesIO(data),
            rootfs=tmp_path / "rootfs",
            blob=tmp_path / "blob",
            checkpoint=checkpoint,
        )

    assert (tmp_path / "blob").exists()
    assert not (tmp_path / "rootfs/f5").exists()
