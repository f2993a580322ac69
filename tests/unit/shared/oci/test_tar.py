"""Reading tar archives."""

from __future__ import annotations

import io
import os
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errdefs
from shared.oci import tar
from shared.oci.tar import TarReader
from shared.oci.tar_header import BLOCK, Entry, EntryType, TarError, parse_block

LONG = "d/" * 80 + "n" * 120
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def archive(
    *members: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT, content: bytes = b""
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as made:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            made.addfile(member, io.BytesIO(content))
    return out.getvalue()


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def read(data: bytes) -> list[tuple[Entry, bytes]]:
    reader = TarReader(io.BytesIO(data))
    return [(entry, b"".join(reader.chunks())) for entry in reader]


def entries(data: bytes) -> list[Entry]:
    return list(TarReader(io.BytesIO(data)))


class Trickle:
    """A source that gives a few bytes at a time, as a socket may."""

    def __init__(self, data: bytes) -> None:
        self._pieces = (data[at : at + 7] for at in range(0, len(data), 7))

    def read(self, size: int, /) -> bytes:
        return next(self._pieces, b"")


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_of_tarfile_is_read(form: int) -> None:
    """Name, mode, owner, time and content of a file come through in ustar, GNU and PAX."""
    info = member("a/b", mode=0o4755, uid=7, gid=8, mtime=1_700_000_000)
    [(entry, content)] = read(archive(info, form=form, content=b"hello" * 1000))

    assert content == b"hello" * 1000
    assert entry == Entry(
        name="a/b",
        mode=0o4755,
        uid=7,
        gid=8,
        size=5000,
        mtime_ns=1_700_000_000 * 10**9,
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        (tarfile.REGTYPE, EntryType.REGULAR),
        (tarfile.AREGTYPE, EntryType.REGULAR),
        (tarfile.CONTTYPE, EntryType.REGULAR),
        (tarfile.LNKTYPE, EntryType.HARD_LINK),
        (tarfile.SYMTYPE, EntryType.SYMLINK),
        (tarfile.CHRTYPE, EntryType.CHAR_DEVICE),
        (tarfile.BLKTYPE, EntryType.BLOCK_DEVICE),
        (tarfile.DIRTYPE, EntryType.DIRECTORY),
        (tarfile.FIFOTYPE, EntryType.FIFO),
    ],
)
def test_every_kind_of_entry_is_told_apart(form: int, flag: bytes, kind: EntryType) -> None:
    """The type, link target and device numbers are read."""
    info = member("x", type=flag, linkname="target", devmajor=5, devminor=6)
    [entry] = entries(archive(info, form=form))

    assert entry.type is kind
    assert entry.link == "target"
    is_device = kind in (EntryType.CHAR_DEVICE, EntryType.BLOCK_DEVICE)
    assert (entry.major, entry.minor) == ((5, 6) if is_device else (0, 0))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_targets_are_read(form: int) -> None:
    """Names past the header's fields come from GNU or PAX records, and end with their entry."""
    first = member(LONG, type=tarfile.SYMTYPE, linkname=LONG + "t")
    found = entries(archive(first, member("short"), form=form))

    assert [(entry.name, entry.link) for entry in found] == [(LONG, LONG + "t"), ("short", "")]


def test_a_ustar_prefix_is_joined() -> None:
    """A name split over prefix and name is one name."""
    name = "p" * 90 + "/" + "n" * 90

    assert entries(archive(member(name), form=tarfile.USTAR_FORMAT))[0].name == name


def test_pax_records_override_the_header() -> None:
    """Ids past octal, fractions of seconds, xattrs and odd names come from PAX."""
    info = member(
        "ünï",
        uid=3_000_000,
        gid=4_000_000,
        mtime=1.5,
        pax_headers={"SCHILY.xattr.user.a": "v=1\n", "comment": "x"},
    )
    [entry] = entries(archive(info))

    assert (entry.name, entry.uid, entry.gid) == ("ünï", 3_000_000, 4_000_000)
    assert entry.mtime_ns == 1_500_000_000
    assert entry.xattrs == {"user.a": b"v=1\n"}


def test_base_256_numbers_are_read() -> None:
    """GNU writes large ids in binary."""
    [entry] = entries(archive(member("x", uid=2**31 + 5), form=tarfile.GNU_FORMAT))

    assert entry.uid == 2**31 + 5


@pytest.mark.parametrize("mtime", [-1, -1.5, 10**10])
def test_times_no_file_can_have_become_the_epoch(mtime: float) -> None:
    """A time before 1970 or past the 64-bit nanoseconds is zero, as Docker has it."""
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        [entry] = entries(archive(member("x", mtime=int(mtime)), form=form))
        assert entry.mtime_ns == 0


def test_global_pax_headers_are_not_applied() -> None:
    """A comment of git archive is passed over, and so is everything like it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers={"path": "evil", "comment": "x"}) as made:
        made.addfile(member("good"))

    assert [entry.name for entry in entries(out.getvalue())] == ["good"]


def test_content_that_nobody_reads_is_skipped() -> None:
    """Entries follow one another whether their content was read, half read or left."""
    data = archive(member("a"), member("b"), member("c"), content=b"x" * 700)
    reader = TarReader(Trickle(data))
    names = []
    for entry in reader:
        names.append(entry.name)
        if entry.name == "b":
            next(reader.chunks())

    assert names == ["a", "b", "c"]


def test_a_trickling_source_gives_the_same_entries() -> None:
    """Short reads change nothing."""
    data = archive(member(LONG), member("b"), content=b"0123456789" * 200)
    reader = TarReader(Trickle(data))

    assert [(e.name, b"".join(reader.chunks())) for e in reader] == [
        (LONG, b"0123456789" * 200),
        ("b", b"0123456789" * 200),
    ]


def test_what_follows_the_end_can_be_drained() -> None:
    """The rest of the stream is read whole, for digests to cover it."""
    source = io.BytesIO(archive(member("a")) + bytes(3 << 20) + b"tail")
    reader = TarReader(source)
    assert len(list(reader)) == 1

    reader.drain()

    assert source.read() == b""


def test_an_archive_is_read_to_its_limit() -> None:
    """Of what is more than it may be no entry is told any more, whatever it consists of."""
    data = archive(member("a"), member("b"), content=b"x" * (2 << 20))

    with pytest.raises(errdefs.InvalidArgument, match="is more than 3000000 bytes"):
        list(TarReader(io.BytesIO(data), limit=3_000_000))


def test_an_archive_may_lack_its_end_blocks_and_padding() -> None:
    """Whole entries count, even where the archive ends at once after them."""
    data = archive(member("a"), content=b"abc")

    assert read(data[: BLOCK + 3])[0][1] == b"abc"
    assert entries(data[:BLOCK] + data[BLOCK : 2 * BLOCK])[0].name == "a"
    assert entries(b"") == []


@pytest.mark.parametrize(
    "end", [BLOCK - 1, BLOCK, BLOCK + 100], ids=["header", "content", "middle"]
)
def test_a_cut_archive_is_an_unexpected_end(end: int) -> None:
    """An archive that ends inside an entry is refused."""
    data = archive(member("a"), content=b"x" * 600)

    with pytest.raises(TarError, match=r"^unexpected EOF$"):
        read(data[:end])


def test_an_extension_without_its_entry_is_an_unexpected_end() -> None:
    """A PAX header describes an entry that has to come."""
    data = archive(member(LONG), form=tarfile.PAX_FORMAT)

    with pytest.raises(TarError, match="unexpected EOF"):
        entries(data[: 2 * BLOCK])


def patched(data: bytes, at: int, value: bytes) -> bytes:
    block = bytearray(data)
    block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:BLOCK])
    return bytes(block)


PLAIN = archive(member("a"), form=tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x" * 1024, "malformed checksum"),
        (PLAIN[:100] + b"7" + PLAIN[101:], "checksum does not match"),
        (bytes(BLOCK) + PLAIN, "single zero block"),
        (patched(PLAIN, 100, b"0009999\0"), "malformed mode"),
        (patched(PLAIN, 108, b"-000001\0"), "malformed uid"),
        (patched(PLAIN, 124, b"0_1"), "malformed size"),
        (patched(PLAIN, 124, b"\x80" + b"\x7f" * 11), "size .* is too large"),
        (patched(PLAIN, 124, b"\xff" * 12), "malformed size"),
        (patched(PLAIN, 108, b"\x80\0\0\0\xff\xff\xff\xff"), "uid 4294967295 is too large"),
        (patched(PLAIN, 156, b"V"), "'a' has the unsupported type 'V'"),
        (patched(patched(PLAIN, 156, b"x"), 124, b"00077777777\0"), "extensions of .* too long"),
        (archive(member("a", pax_headers={"path": "a\0b"})), "a NUL in a PAX record"),
        (archive(member("a", pax_headers={"uid": "0x7"})), "malformed uid"),
        (archive(member("a", pax_headers={"mtime": "soon"})), "malformed mtime"),
    ],
)
def test_broken_headers_are_refused(data: bytes, message: str) -> None:
    """Each fault is named, and none is guessed around."""
    with pytest.raises(TarError, match=message):
        read(data)


@pytest.mark.parametrize(
    "record",
    [
        b"5 a=b\n",
        b"7 a=b\n",
        b"x a=b\n",
        b"6 a=bc",
        b"6 abc\n",
        b"5 =b\n",
        b"99 a=b\n",
        b"0 ",
        b"6",
    ],
)
def test_malformed_pax_records_are_refused(record: bytes) -> None:
    """A record whose length or form is wrong is an error."""
    header = patched(patched(PLAIN[:BLOCK], 156, b"x"), 124, b"%011o\0" % len(record))

    with pytest.raises(TarError, match="malformed PAX record"):
        entries(header + record.ljust(BLOCK, b"\0") + PLAIN)


def test_extensions_of_one_entry_are_bounded_together() -> None:
    """Many PAX headers in a row are as limited as a long one, so memory is too."""
    record = b"600000 a=" + b"x" * (600_000 - 10) + b"\n"
    header = patched(patched(PLAIN[:BLOCK], 156, b"x"), 124, b"%011o\0" % len(record))
    extension = header + record + bytes(-len(record) % BLOCK)

    assert entries(extension + PLAIN)[0].name == "a"
    with pytest.raises(TarError, match="extensions of 1200000 bytes are too long"):
        entries(extension * 2 + PLAIN)


def test_the_largest_checksum_passes() -> None:
    """A header of bytes that are all set is summed without an overflow."""
    block = bytearray(b"\xff" * BLOCK)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 0x20 + sum(block[156:]))

    assert parse_block(bytes(block)).typeflag == b"\xff"


def test_signed_checksums_of_old_tars_pass() -> None:
    """Some tars summed signed characters."""
    block = bytearray(archive(member("é"), form=tarfile.GNU_FORMAT))
    signed = sum(block[:148] + b" " * 8 + block[156:BLOCK]) - 256 * sum(
        byte > 127 for byte in block[:BLOCK]
    )
    block[148:156] = b"%06o\0 " % signed

    assert entries(bytes(block))[0].name == "é"


def test_names_that_are_not_utf_8_survive() -> None:
    """Bytes come through as surrogate escapes, as the os module has them."""
    data = patched(PLAIN, 0, b"\xff\xfe")

    assert os.fsencode(entries(data)[0].name) == b"\xff\xfe"


@given(st.binary(max_size=3 * BLOCK))
def test_garbage_is_entries_or_an_error(data: bytes) -> None:
    """No input ends in anything but entries or TarError."""
    try:
        read(data)
    except TarError:
        return


@given(
    at=st.integers(0, 6 * BLOCK - 1),
    junk=st.binary(min_size=1, max_size=24),
    end=st.integers(0, 8 * BLOCK),
)
def test_damaged_archives_are_entries_or_an_error(at: int, junk: bytes, end: int) -> None:
    """An archive overwritten anywhere, sums made good or not, and cut anywhere does no harm."""
    data = archive(member(LONG, mtime=1.5, uid=3_000_000), member("b"), content=b"x" * 600)
    damaged = data[:at] + junk + data[at + len(junk) :]
    start = at - at % BLOCK
    for candidate in (damaged, damaged[:start] + patched(damaged[start:], 0, b""), damaged[:end]):
        try:
            read(candidate)
        except TarError:
            continue


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("a/b", "a/b"),
        ("/a/b", "a/b"),
        ("//a//b//", "a/b"),
        ("./a/./b/", "a/b"),
        ("a/../b", "b"),
        ("a/b/../../c", "c"),
        ("", ""),
        (".", ""),
        ("./", ""),
        ("/", ""),
        ("a/..", ""),
        ("..a/...", "..a/..."),
    ],
)
def test_names_are_made_relative_and_plain(name: str, cleaned: str) -> None:
    """Slashes, dots and dot-dots inside the root are folded away."""
    assert tar.clean(name) == cleaned


@pytest.mark.parametrize("name", ["..", "../a", "/..", "/../a", "a/../../b", "a/b/../../../c"])
def test_names_that_climb_out_are_refused(name: str) -> None:
    """A name above the root names the entry and says why."""
    with pytest.raises(errdefs.InvalidArgument, match="outside of the root: its name climbs"):
        tar.clean(name)
