"""Archives of OCI image layouts, written and read."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from shared import errdefs
from shared.oci import layout
from shared.oci.descriptor import Descriptor
from shared.oci.digest import digest_of
from shared.oci.layout import Archive

_BLOB = bytes(range(256)) * 10
_DIGEST = digest_of(_BLOB)
_ENTRY = Descriptor(media_type="application/x", digest=_DIGEST, size=len(_BLOB))


def _file(name: str, data: bytes) -> bytes:
    return layout.head(name, len(data)) + data + layout.padding(len(data))


def _archive(**more: bytes) -> bytes:
    files = {
        "oci-layout": layout.LAYOUT,
        "index.json": layout.index_json({"host/p:v1": _ENTRY}),
        layout.blob_name(_DIGEST): _BLOB,
        **more,
    }
    return b"".join(_file(name, data) for name, data in files.items()) + layout.END


def test_written_and_read(tmp_path: Path) -> None:
    """What is written is a tar that others read, and that is read without unpacking it."""
    path = tmp_path / "a.tar"
    path.write_bytes(_archive())
    with tarfile.open(path) as tar:
        assert [member.name for member in tar][2] == f"blobs/sha256/{_DIGEST.hex}"
    with Archive(path) as archive:
        (entry,) = archive.entries()
        assert entry.annotations == {layout.REF_NAME: "host/p:v1"}
        assert archive.size(_DIGEST) == len(_BLOB)
        assert archive.small(_ENTRY) == _BLOB
        assert archive.pread(_DIGEST, 100, len(_BLOB) - 3) == _BLOB[-3:]
        assert archive.pread(_DIGEST, 100, len(_BLOB)) == b""
        assert archive.size(digest_of(b"")) is None


def test_another_tools_tar(tmp_path: Path) -> None:
    """Names may begin with a dot and have PAX headers; folders and links are passed over."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in {
            "oci-layout": layout.LAYOUT,
            "index.json": b'{"schemaVersion":2}',
        }.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.pax_headers = len(data), {"comment": "é" * 300}
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo(layout.blob_name(_DIGEST))
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with Archive(path) as archive:
        assert archive.entries() == ()
        assert archive.size(_DIGEST) is None


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"oci-layout": b"{}"}, "version other than 1"),
        ({"oci-layout": b"["}, "no JSON"),
        ({"index.json": b'{"schemaVersion":2,"mediaType":"x"}'}, "unsupported"),
    ],
)
def test_not_what_it_says(tmp_path: Path, more: dict[str, bytes], why: str) -> None:
    """What does not hold together is refused, with the reason."""
    path = tmp_path / "a.tar"
    path.write_bytes(_archive(**more))
    with Archive(path) as archive, pytest.raises(errdefs.InvalidArgument, match=why):
        archive.entries()


def test_other_bytes(tmp_path: Path) -> None:
    """A blob is believed only when it has its digest and its size."""
    path = tmp_path / "a.tar"
    path.write_bytes(_archive(**{layout.blob_name(_DIGEST): _BLOB[::-1]}))
    with Archive(path) as archive, pytest.raises(errdefs.InvalidArgument):
        archive.small(_ENTRY)


@pytest.mark.parametrize("data", [b"x" * 2000, _archive()[:1200]])
def test_no_tar(tmp_path: Path, data: bytes) -> None:
    """What is no tar, or cut off, is refused when it is opened."""
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    with pytest.raises(errdefs.InvalidArgument, match="no tar"):
        Archive(path)
