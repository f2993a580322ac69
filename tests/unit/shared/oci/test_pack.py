"""Writing layers."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errdefs
from shared.oci import pack
from shared.oci.pack import LayerWriter
from shared.oci.tar import TarReader
from shared.oci.tar_header import Entry, EntryType

TEXT = st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=60
)
NAMES = st.lists(TEXT, min_size=1, max_size=8).map("/".join)


def packed(*files: tuple[Entry, bytes], level: int = 1) -> tuple[pack.Layer, bytes]:
    blob = io.BytesIO()
    with LayerWriter(blob, level=level) as writer:
        for entry, content in files:
            writer.add(entry)
            writer.write(content)
        return writer.finish(), blob.getvalue()


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_digests_and_size_are_those_of_tar_and_blob(level: int) -> None:
    """The diff id is the tar's digest, the digest and size are the blob's."""
    layer, blob = packed((Entry(name="a", size=3_000_000), b"abc" * 1_000_000), level=level)
    tar_bytes = gzip.decompress(blob)

    assert layer.diff_id.hex == hashlib.sha256(tar_bytes).hexdigest()
    assert (layer.digest.hex, layer.size) == (hashlib.sha256(blob).hexdigest(), len(blob))
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as archive:
        member = archive.extractfile("a")
        assert member is not None
        assert member.read() == b"abc" * 1_000_000


def test_the_same_entries_give_the_same_bytes() -> None:
    """Nothing of the time or place of packing is in a layer."""
    files = (Entry(name="a", size=1), b"x"), (Entry(name="b", mtime_ns=5), b"")

    assert packed(*files) == packed(*files)


def test_an_entry_short_of_its_content_is_a_fault() -> None:
    """A layer whose entries lie about their size is never finished."""
    with LayerWriter(io.BytesIO()) as writer:
        writer.add(Entry(name="a", size=2))
        writer.write(b"x")

        with pytest.raises(errdefs.Internal, match="1 bytes short"):
            writer.finish()


def test_a_blob_that_cannot_be_written_is_told() -> None:
    """What the thread met is raised where the layer is written, and not lost."""

    class Full(io.BytesIO):
        def write(self, _data: object, /) -> int:
            raise OSError(errno.ENOSPC, "full")

    with LayerWriter(Full()) as writer:
        writer.add(Entry(name="a", size=0))

        with pytest.raises(OSError, match="full"):
            writer.finish()


def test_python_reads_what_was_written() -> None:
    """Tarfile finds every field in its place."""
    entry = Entry(
        name="dir/" + "ü" * 90,
        type=EntryType.SYMLINK,
        mode=0o4711,
        uid=3_000_000,
        gid=4_000_000,
        mtime_ns=1_700_000_000_250_000_000,
        link="t" * 150,
        xattrs={"user.b": b"2", "security.capability": b"\1\0\0\2\0\n"},
    )
    _, blob = packed((entry, b""))
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob))) as archive:
        [member] = archive.getmembers()

    assert (member.name, member.linkname) == (entry.name, entry.link)
    assert (member.uid, member.gid, member.mode) == (3_000_000, 4_000_000, 0o4711)
    assert member.mtime == 1_700_000_000.25
    assert member.pax_headers["SCHILY.xattr.user.b"] == "2"


def test_plain_entries_need_no_pax_header() -> None:
    """What ustar can say is said in one block."""
    for name in ("a", "p" * 100 + "/" + "n" * 100, "p" * 155 + "/" + "n" * 100):
        assert len(pack.encode_header(Entry(name=name, mtime_ns=10**9))) == 512
    assert len(pack.encode_header(Entry(name="n" * 101))) == 3 * 512


@given(
    entry=st.builds(
        Entry,
        name=NAMES,
        type=st.sampled_from(EntryType),
        mode=st.integers(0, 0o7777),
        uid=st.integers(0, 2**32 - 2),
        gid=st.integers(0, 2**32 - 2),
        size=st.just(0),
        mtime_ns=st.integers(0, 2**63 - 1),
        link=st.just("") | NAMES,
        major=st.just(0),
        minor=st.just(0),
        xattrs=st.dictionaries(TEXT.filter(lambda key: "=" not in key), st.binary(min_size=1)),
    )
)
def test_entries_are_read_back_as_they_were_written(entry: Entry) -> None:
    """Whatever an entry holds survives the way through a header."""
    [found] = TarReader(io.BytesIO(pack.encode_header(entry) + bytes(1024)))

    assert found.name.rstrip("/") == entry.name.rstrip("/")
    for field in ("type", "mode", "uid", "gid", "mtime_ns", "link", "xattrs"):
        assert getattr(found, field) == getattr(entry, field), field
