"""Sparse files in archives: GNU's old format, and 0.0, 0.1 and 1.0 of those in PAX records.

Such an entry stores the parts of its file that are not holes, and a map of where they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from shared.oci.tar_header import BLOCK, MAX_SIZE, SPARSE_MAP, Header, TarError, decimal, number

#: as for other extensions of an entry; GNU's old format holds 43,008 parts in it
_MAX_MAP: Final = 1 << 20  # bytes
_OLD_MAGIC: Final = b"ustar  \0"
_IN_HEADER: Final = slice(386, 482)
_IN_EXTENSION: Final = slice(0, 504)
_HOLE: Final = bytes(1 << 20)


class Extent(NamedTuple):
    """A part of a file that is no hole, in bytes."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseFile:
    """What a sparse entry says of its file."""

    #: empty where the entry's own name is the file's
    name: str
    #: bytes of the file, holes included
    size: int
    extents: tuple[Extent, ...]
    #: bytes of the entry's content that are the map itself
    map_size: int = 0

    @property
    def stored(self) -> int:
        """Return how many bytes of the file the entry holds."""
        return sum(extent.length for extent in self.extents)


def sparse_file(
    header: Header, overrides: Mapping[str, bytes], next_block: Callable[[], bytes]
) -> SparseFile | None:
    """Return what the entry says of its sparse file, None where its file is stored whole.

    *next_block* returns the blocks behind the header, in which two formats keep their map.
    Raises TarError for a map that is malformed, too long, unsorted, overlapping or that leads
    beyond the file's end.
    """
    version = overrides.get("GNU.sparse.major", b""), overrides.get("GNU.sparse.minor", b"")
    if header.typeflag == b"S":
        return _checked(_old(header, next_block))
    if version == (b"1", b"0"):
        return _checked(_map_in_content(overrides, next_block))
    if version not in ((b"0", b"0"), (b"0", b"1"), (b"", b"")):
        shown = b".".join(version).decode("latin-1")
        raise TarError(f"sparse files of version {shown!r} are not supported")
    return _checked(_map_in_records(overrides)) if SPARSE_MAP in overrides else None


def content(
    found: SparseFile, stored: Callable[[int], Iterator[memoryview]]
) -> Iterator[memoryview]:
    """Yield the whole file, its holes as chunks that ``is_hole`` tells apart.

    *stored* yields the next bytes that are stored, as many as it is asked for.
    """
    at = 0
    for extent in found.extents:
        yield from _hole(extent.offset - at)
        yield from stored(extent.length)
        at = extent.offset + extent.length
    yield from _hole(found.size - at)


def is_hole(chunk: memoryview) -> bool:
    """Say whether *chunk* is zeros that the archive does not store."""
    return chunk.obj is _HOLE


def _hole(count: int) -> Iterator[memoryview]:
    while count > 0:
        chunk = memoryview(_HOLE)[:count]
        count -= len(chunk)
        yield chunk


def _old(header: Header, next_block: Callable[[], bytes]) -> SparseFile:
    block = header.block
    if block[257:265] != _OLD_MAGIC:
        raise TarError("invalid tar header: a sparse file in an archive that is not GNU's")
    extents = _old_extents(block[_IN_HEADER])
    extended, read = block[482], 0
    while extended:
        read += BLOCK
        _check_length(read)
        block = next_block()
        extents += _old_extents(block[_IN_EXTENSION])
        extended = block[504]
    size = number(header.block[483:495], "size of a sparse file")
    return SparseFile(name="", size=size, extents=tuple(extents))


def _old_extents(data: bytes) -> list[Extent]:
    """Read pairs of twelve bytes each, to the first that is unused."""
    fields = [data[at : at + 12] for at in range(0, len(data), 12)]
    extents = []
    for offset, length in zip(fields[::2], fields[1::2], strict=True):
        if not offset[0]:
            break
        extents.append(Extent(*(number(field, "sparse map") for field in (offset, length))))
    return extents


def _map_in_records(overrides: Mapping[str, bytes]) -> SparseFile:
    value = overrides[SPARSE_MAP]
    numbers = [decimal(item, "sparse map") for item in value.split(b",")] if value else []
    return _from_records(overrides, numbers)


def _map_in_content(overrides: Mapping[str, bytes], next_block: Callable[[], bytes]) -> SparseFile:
    """Read lines from the blocks ahead of the content: how many pairs, then their numbers."""
    data = bytearray()
    lines, wanted = 0, 1
    while lines < wanted:
        block = next_block()
        data += block
        _check_length(len(data))
        lines += block.count(b"\n")
        if wanted == 1 and lines:
            wanted += 2 * decimal(bytes(data.partition(b"\n")[0]), "sparse map")
    numbers = [decimal(bytes(line), "sparse map") for line in data.split(b"\n", wanted)[1:wanted]]
    return _from_records(overrides, numbers, map_size=len(data))


def _from_records(
    overrides: Mapping[str, bytes], numbers: list[int], *, map_size: int = 0
) -> SparseFile:
    if len(numbers) % 2:
        raise TarError("invalid tar header: a malformed sparse map")
    size = overrides.get("GNU.sparse.realsize") or overrides.get("GNU.sparse.size") or b""
    return SparseFile(
        name=overrides.get("GNU.sparse.name", b"").decode("utf-8", "surrogateescape"),
        size=decimal(size, "size of a sparse file"),
        extents=tuple(map(Extent, numbers[::2], numbers[1::2])),
        map_size=map_size,
    )


def _check_length(count: int) -> None:
    if count > _MAX_MAP:
        raise TarError(f"invalid tar header: a sparse map of more than {_MAX_MAP} bytes")


def _checked(found: SparseFile) -> SparseFile:
    end = 0
    for offset, length in found.extents:
        if offset < end:
            raise TarError("invalid tar header: a sparse map whose parts overlap or are unsorted")
        end = offset + length
    if found.size > MAX_SIZE:
        raise TarError(f"invalid tar header: size {found.size} is too large")
    if end > found.size:
        raise TarError("invalid tar header: a sparse map that leads beyond the file's end")
    return found
