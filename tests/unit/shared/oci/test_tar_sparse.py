"""Sparse files in archives: every format, and maps that lie."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.oci import tar_sparse
from shared.oci.tar import TarReader
from shared.oci.tar_header import BLOCK, Entry, TarError

MIB = 1 << 20
EXTENTS = [(BLOCK, 3), (2 * MIB, 700), (5 * MIB, 0)]
STORED = b"abc" + b"x" * 700
SIZE = 5 * MIB
WHOLE = bytes(BLOCK) + b"abc" + bytes(2 * MIB - BLOCK - 3) + b"x" * 700
FILE = WHOLE + bytes(SIZE - len(WHOLE))
Extents = Iterable[tuple[int, int]]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def header(name: str, size: int, typeflag: bytes, tail: bytes = b"") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, typeflag
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT if typeflag == b"S" else tarfile.USTAR_FORMAT))
    block[386 : 386 + len(tail)] = tail
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pairs(extents: Extents, room: int) -> bytes:
    fields = b"".join(b"%011o\0%011o\0" % extent for extent in extents)
    return fields.ljust(24 * room, b"\0")


def old(extents: Extents = EXTENTS, size: int = SIZE, stored: bytes = STORED) -> bytes:
    extents = list(extents)
    blocks = [extents[at : at + 21] for at in range(4, len(extents), 21)]
    tail = pairs(extents[:4], 4) + bytes([bool(blocks)]) + b"%011o\0" % size
    more = [
        (pairs(block, 21) + bytes([number < len(blocks)])).ljust(BLOCK, b"\0")
        for number, block in enumerate(blocks, start=1)
    ]
    return header("f", len(stored), b"S", tail) + b"".join(more) + padded(stored)


def pax(records: Iterable[tuple[str, object]], content: bytes, typeflag: bytes = b"0") -> bytes:
    body = b""
    for key, value in records:
        rest = f" {key}={value}\n".encode()
        length = len(rest) + len(str(len(rest) + 2))
        body += str(length).encode() + rest
    placeholder = header("GNUSparseFile.1/f", len(content), typeflag)
    return header("PaxHeaders/f", len(body), b"x") + padded(body) + placeholder + padded(content)


def version_0_0(extents: Extents = EXTENTS, size: int = SIZE, stored: bytes = STORED) -> bytes:
    repeated = [
        item
        for offset, length in extents
        for item in (("GNU.sparse.offset", offset), ("GNU.sparse.numbytes", length))
    ]
    return pax([("path", "f"), ("GNU.sparse.size", size), *repeated], stored)


def version_0_1(extents: Extents = EXTENTS, size: int = SIZE, stored: bytes = STORED) -> bytes:
    numbers = ",".join(str(number) for extent in extents for number in extent)
    named = [("GNU.sparse.name", "f"), ("GNU.sparse.size", size), ("GNU.sparse.map", numbers)]
    return pax(named, stored)


NAMED_1_0 = (
    ("GNU.sparse.major", 1),
    ("GNU.sparse.minor", 0),
    ("GNU.sparse.name", "f"),
)


def version_1_0(extents: Extents = EXTENTS, size: int = SIZE, stored: bytes = STORED) -> bytes:
    extents = list(extents)
    lines = [len(extents), *(number for extent in extents for number in extent)]
    found = padded("".join(f"{line}\n" for line in lines).encode())
    return pax([*NAMED_1_0, ("GNU.sparse.realsize", size)], found + stored)


class Form(Protocol):
    def __call__(self, extents: Extents = ..., size: int = ..., stored: bytes = ...) -> bytes: ...


FORMATS: list[Form] = [old, version_0_0, version_0_1, version_1_0]


def read(data: bytes) -> list[tuple[Entry, bytes]]:
    reader = TarReader(io.BytesIO(data + bytes(2 * BLOCK)))
    return [(entry, b"".join(reader.chunks())) for entry in reader]


@pytest.mark.parametrize("form", FORMATS)
def test_a_sparse_file_is_read_whole(form: Form) -> None:
    """Name, size and content are the file's, in each format, and the next entry follows."""
    plain = header("next", 0, b"0")
    [(entry, content), (after, _)] = read(form() + plain)

    assert (entry.name, entry.size, after.name) == ("f", SIZE, "next")
    assert content == FILE


@pytest.mark.parametrize("form", FORMATS)
def test_holes_are_told_apart(form: Form) -> None:
    """What the archive does not store comes in chunks of its own."""
    reader = TarReader(io.BytesIO(form()))
    next(reader)
    chunks = list(reader.chunks())

    stored = [chunk for chunk in chunks if not tar_sparse.is_hole(chunk)]
    assert b"".join(stored) == STORED
    assert all(len(chunk) <= MIB for chunk in chunks)


@pytest.mark.parametrize("form", FORMATS)
@given(lengths=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), max_size=60))
def test_maps_of_any_length_are_read(form: Form, lengths: list[tuple[int, int]]) -> None:
    """Holes and parts in any order and number, none at all too, make the file they describe."""
    extents, content, stored = [], b"", b""
    for hole, length in lengths:
        extents.append((len(content) + hole, length))
        content += bytes(hole) + b"y" * length
        stored += b"y" * length
    [(entry, found)] = read(form([*extents, (len(content) + 9, 0)], len(content) + 9, stored))

    assert found == content + bytes(9)
    assert entry.size == len(found)


@pytest.mark.parametrize("form", FORMATS)
def test_a_sparse_file_that_nobody_reads_is_skipped(form: Form) -> None:
    """Entries follow one another whether the content was read, half read or left."""
    reader = TarReader(io.BytesIO(form() * 3))
    names = []
    for number, entry in enumerate(reader):
        names.append(entry.name)
        if number == 1:
            chunks = reader.chunks()
            while tar_sparse.is_hole(next(chunks)):
                continue

    assert names == ["f", "f", "f"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("extents", "size", "message"),
    [
        ([(0, 500), (499, 203)], SIZE, "overlap or are unsorted"),
        ([(1000, 3), (0, 700)], SIZE, "overlap or are unsorted"),
        ([(0, 703)], 702, "beyond the file's end"),
        ([(100, 703)], 800, "beyond the file's end"),
        ([(0, 702)], SIZE, "not that of the content"),
        ([(0, 704)], SIZE, "not that of the content"),
        ([(703, 0)], SIZE, "not that of the content"),
    ],
)
def test_maps_that_lie_are_refused(form: Form, extents: Extents, size: int, message: str) -> None:
    """Parts that overlap, lead beyond the end, or hold more or less than is stored are named."""
    with pytest.raises(TarError, match=message):
        read(form(extents, size))


def with_map(text: bytes, *, size: object = SIZE) -> bytes:
    return pax([*NAMED_1_0, ("GNU.sparse.realsize", size)], padded(text) + STORED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (version_0_1([(2**63, 703)], 2**64), "size 18446744073709551616 is too large"),
        (pax([("GNU.sparse.map", "1,x")], b""), "malformed sparse map"),
        (pax([("GNU.sparse.map", "1,-1")], b""), "malformed sparse map"),
        (pax([("GNU.sparse.map", "1,2,3")], b""), "malformed sparse map"),
        (pax([("GNU.sparse.map", "0,0")], b""), "malformed size of a sparse file"),
        (pax([("GNU.sparse.offset", 0)], b""), "malformed sparse map"),
        (pax([("GNU.sparse.numbytes", 0)], b""), "malformed sparse map"),
        (pax([("GNU.sparse.offset", "0,0")], b""), "malformed sparse map"),
        (pax([("GNU.sparse.offset", 0), ("GNU.sparse.offset", 0)], b""), "malformed sparse map"),
        (pax([("GNU.sparse.major", 2), ("GNU.sparse.minor", 0)], b""), r"version '2\.0'"),
        (pax([("GNU.sparse.major", 0), ("GNU.sparse.minor", 7)], b""), r"version '0\.7'"),
        (pax([("GNU.sparse.name", "a\0b")], b""), "a NUL in a PAX record"),
        (
            pax([("GNU.sparse.map", "0,0"), ("GNU.sparse.size", 0)], b"", b"5"),
            "not that of the content",
        ),
        (with_map(b"1\n0\n703\n", size="big"), "malformed size of a sparse file"),
        (with_map(b"one\n0\n703\n"), "malformed sparse map"),
        (with_map(b"1\n0\n-703\n"), "malformed sparse map"),
        (with_map(b"\n"), "malformed sparse map"),
        (with_map(b"99999999\n0\n703\n"), "unexpected EOF|malformed sparse map"),
        (with_map(b"99999999\n" + b"0\n" * MIB), "a sparse map of more than 1048576 bytes"),
        (with_map(b"9" * (2 * MIB)), "a sparse map of more than 1048576 bytes"),
        (old([(number, 0) for number in range(50_000)]), "sparse map of more than 1048576 bytes"),
        (header("f", 0, b"S").replace(b"ustar  \0", b"ustar\x0000"), "checksum does not match"),
    ],
)
def test_malformed_maps_are_refused(data: bytes, message: str) -> None:
    """Each fault is named, and none is guessed around; no map is longer than a mebibyte."""
    with pytest.raises(TarError, match=message):
        read(data)


def test_a_map_may_not_reach_into_the_next_entry() -> None:
    """A 1.0 map longer than its entry's content is refused, though blocks follow."""
    data = pax([*NAMED_1_0, ("GNU.sparse.realsize", 9)], b"")

    with pytest.raises(TarError, match="not that of the content"):
        read(data + b"0\n".ljust(BLOCK, b"\0"))


def test_gnus_old_format_is_gnus_alone() -> None:
    """A sparse entry without GNU's magic has no map where one is looked for."""
    info = tarfile.TarInfo("f")
    info.type = b"S"

    with pytest.raises(TarError, match="an archive that is not GNU's"):
        read(info.tobuf(tarfile.USTAR_FORMAT))


@given(
    form=st.sampled_from(FORMATS),
    at=st.integers(0, 4 * BLOCK),
    junk=st.binary(min_size=1, max_size=24),
)
def test_damaged_sparse_archives_are_entries_or_an_error(form: Form, at: int, junk: bytes) -> None:
    """An archive overwritten anywhere, its sum made good, does no harm."""
    data = bytearray(form())
    data[at : at + len(junk)] = junk
    start = at - at % BLOCK
    data[start + 148 : start + 156] = b" " * 8
    data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + BLOCK])
    reader = TarReader(io.BytesIO(bytes(data)))
    try:
        for entry in reader:
            if entry.size <= SIZE:
                list(reader.chunks())
    except TarError:
        return
