"""Archives that GNU tar made."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from shared.oci import plugin_context, unpack
from shared.oci.digest import digest_of

pytestmark = pytest.mark.root

MIB = 1 << 20
FORMS = [
    ["--format=gnu"],
    ["--format=posix", "--sparse-version=0.0"],
    ["--format=posix", "--sparse-version=0.1"],
    ["--format=posix", "--sparse-version=1.0"],
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of sparse files: few parts, many, none, and one that starts with data."""
    rootfs = tmp_path_factory.mktemp("context") / "rootfs"
    rootfs.mkdir()
    write(rootfs / "few", 5 * MIB, {MIB: b"a" * 5000, 3 * MIB: b"b" * 4096})
    write(rootfs / "many", 8 * MIB, {at * 65_536: b"%d" % at * 90 for at in range(120)})
    write(rootfs / "none", 3 * MIB, {})
    write(rootfs / ("long-" * 40), 2 * MIB, {0: b"start", 2 * MIB - 3: b"end"})
    (rootfs / "whole").write_bytes(b"w" * 9000)
    (rootfs.parent / "config.json").write_text("{}")
    return rootfs


def write(path: Path, size: int, parts: dict[int, bytes]) -> None:
    with path.open("wb") as file:
        for at, part in parts.items():
            file.seek(at)
            file.write(part)
        file.truncate(size)


def packed(folder: Path, form: list[str], *members: str) -> bytes:
    command = ["tar", "--create", "--sparse", *form, "-C", str(folder), *members]
    return subprocess.run(command, check=True, capture_output=True).stdout


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def same_files(found: Path, expected: Path) -> None:
    assert names(found) == names(expected)
    for path in expected.iterdir():
        copy = found / path.name
        assert copy.read_bytes() == path.read_bytes(), path.name
        assert copy.stat().st_mtime_ns // 10**9 == path.stat().st_mtime_ns // 10**9
        assert copy.stat().st_blocks <= path.stat().st_blocks + 8, f"{path.name} lost its holes"


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
def test_sparse_files_are_unpacked_with_their_holes(
    files: Path, tmp_path: Path, form: list[str]
) -> None:
    """Each of tar's sparse formats gives the same files, as small on disk as they were."""
    data = packed(files, form, ".")
    diff_id, unpacked = unpack.unpack(io.BytesIO(data), tmp_path)

    assert diff_id == digest_of(data)
    assert len(data) < unpacked.size // 4
    same_files(tmp_path, files)


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
def test_a_plugin_is_made_from_a_sparse_context(
    files: Path, tmp_path: Path, form: list[str]
) -> None:
    """The folder keeps the holes; the layer is plain, so that anybody can unpack it."""
    rootfs, blob = tmp_path / "rootfs", tmp_path / "blob"
    rootfs.mkdir()
    data = packed(files.parent, form, "config.json", "rootfs")
    plugin_context.unpack_and_pack(io.BytesIO(data), rootfs=rootfs, blob=blob)

    same_files(rootfs, files)
    with tarfile.open(blob) as layer:
        members = {member.name: member for member in layer if member.isreg()}
        assert set(members) == names(files)
        for name, member in members.items():
            content = layer.extractfile(member)
            assert not member.issparse()
            assert content is not None
            assert content.read() == (files / name).read_bytes()
