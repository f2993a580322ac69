"""Layers written: tar entries, gzip, and both digests in one pass."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Final, Protocol, Self

from isal import isal_zlib

from shared import errdefs
from shared.oci.digest import Digest, Digester
from shared.oci.tar_header import BLOCK, Entry, EntryType, checksum

#: isal's levels go from 0 to 3; 2 packs at ten times zlib's speed
DEFAULT_LEVEL: Final = 2
_GZIP_WINDOW: Final = 31  # the largest window, with a gzip header
_BATCH: Final = 512 << 10  # bytes hashed and compressed at a time
_MAX_OCTAL_SIZE: Final = 0o77777777777
_MAX_OCTAL_ID: Final = 0o7777777
_NAME_LENGTH: Final = 100
_PREFIX_LENGTH: Final = 155
#: name, mode with owner, size, time, checksum, type, target, magic, device numbers, prefix
_USTAR: Final = struct.Struct("100s 24s 12s 12s 8s c 100s 8s 64x 16s 155s 12x")


class Writer(Protocol):
    """Something bytes can be written to."""

    def write(self, data: bytes, /) -> object:
        """Write all of *data*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A packed layer."""

    #: digest of the tar
    diff_id: Digest
    #: digest of the gzip blob
    digest: Digest
    #: bytes of the blob
    size: int


class LayerWriter:
    """Write entries as a gzip layer; equal entries give equal bytes.

    A context manager: a thread hashes and compresses one batch while the next one is gathered,
    and leaving it waits for that.
    """

    def __init__(self, blob: Writer, *, level: int = DEFAULT_LEVEL) -> None:
        self._blob = blob
        self._gzip = isal_zlib.compressobj(level, isal_zlib.DEFLATED, _GZIP_WINDOW)
        self._diff_id = Digester()
        self._digest = Digester()
        self._batch = bytearray()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pack")
        self._packing: Future[None] | None = None
        self._left = 0
        self._padding = 0

    def __enter__(self) -> Self:
        """Do nothing: the thread begins with the first batch."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread, after the batch that it has in hand."""
        self._thread.shutdown()

    def add(self, entry: Entry) -> None:
        """Begin an entry; ``write`` must follow with exactly its content."""
        self._end_entry()
        self._put(encode_header(entry))
        self._left = entry.size
        self._padding = -entry.size % BLOCK

    def write(self, content: bytes | memoryview) -> None:
        """Write content of the entry begun last."""
        self._left -= len(content)
        self._put(content)

    def finish(self) -> Layer:
        """End the archive and say what was written; the blob stays the caller's to close."""
        self._end_entry()
        self._put(bytes(2 * BLOCK))
        self._flush()
        self._settle()
        self._emit(self._gzip.flush())
        return Layer(
            diff_id=self._diff_id.digest(), digest=self._digest.digest(), size=self._digest.size
        )

    def _end_entry(self) -> None:
        if self._left:
            raise errdefs.Internal(f"an entry's content is {self._left} bytes short of its size")
        self._put(bytes(self._padding))
        self._padding = 0

    def _put(self, data: bytes | memoryview) -> None:
        self._batch += data
        if len(self._batch) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._settle()
        self._packing = self._thread.submit(self._pack, self._batch)
        self._batch = bytearray()

    def _settle(self) -> None:
        if self._packing is not None:
            self._packing.result()

    def _pack(self, batch: bytearray) -> None:
        self._diff_id.update(batch)
        self._emit(self._gzip.compress(batch))

    def _emit(self, data: bytes) -> None:
        self._digest.update(data)
        self._blob.write(data)


def tee(content: Iterable[memoryview], write: Callable[[memoryview], None]) -> Iterator[memoryview]:
    """Hand *content* on after writing it elsewhere too."""
    for chunk in content:
        write(chunk)
        yield chunk


def encode_header(entry: Entry) -> bytes:
    """Return the ustar header of *entry*, with a PAX one before it where ustar falls short."""
    whole = _name_bytes(entry)
    link = entry.link.encode("utf-8", "surrogateescape")
    prefix, name = _split_name(whole)
    records = _pax_records(entry, b"" if name else whole, link)
    short = name or whole[:_NAME_LENGTH]
    header = _block(entry, short, prefix, entry.type.value.encode(), link, entry.size)
    if not records:
        return header
    body = b"".join(_pax_record(key, value) for key, value in records)
    pax_name = b"PaxHeaders.0/" + short.rstrip(b"/").rpartition(b"/")[2]
    pax_header = _block(Entry(name=""), pax_name, b"", b"x", b"", len(body))
    return pax_header + body + bytes(-len(body) % BLOCK) + header


def _name_bytes(entry: Entry) -> bytes:
    name = entry.name.encode("utf-8", "surrogateescape")
    return name + b"/" if entry.type is EntryType.DIRECTORY and name[-1:] != b"/" else name


def _split_name(name: bytes) -> tuple[bytes, bytes | None]:
    """Return ustar's prefix and name, or no name where there is no such split."""
    if not name.isascii():
        return b"", None
    if len(name) <= _NAME_LENGTH:
        return b"", name
    # The name needs a byte, so a trailing slash can't be where it is split.
    at = name.find(b"/", len(name) - _NAME_LENGTH - 1, len(name) - 1)
    return (name[:at], name[at + 1 :]) if 0 < at <= _PREFIX_LENGTH else (b"", None)


def _pax_records(entry: Entry, path: bytes, link: bytes) -> list[tuple[str, bytes]]:
    """Return what ustar can't say; *path* is empty where it can say the name."""
    records: list[tuple[str, bytes]] = []
    if path:
        records.append(("path", path))
    if len(link) > _NAME_LENGTH or not link.isascii():
        records.append(("linkpath", link))
    if entry.size > _MAX_OCTAL_SIZE:
        records.append(("size", b"%d" % entry.size))
    if entry.uid > _MAX_OCTAL_ID:
        records.append(("uid", b"%d" % entry.uid))
    if entry.gid > _MAX_OCTAL_ID:
        records.append(("gid", b"%d" % entry.gid))
    seconds, nanoseconds = divmod(entry.mtime_ns, 10**9)
    if nanoseconds or seconds > _MAX_OCTAL_SIZE:
        time = (b"%d.%09d" % (seconds, nanoseconds)).rstrip(b"0").rstrip(b".")
        records.append(("mtime", time))
    records += [(f"SCHILY.xattr.{key}", value) for key, value in sorted(entry.xattrs.items())]
    return records


def _pax_record(key: str, value: bytes) -> bytes:
    rest = b" " + key.encode("utf-8", "surrogateescape") + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    # The length counts its own digits, of which it may just have gained one.
    length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _block(
    entry: Entry, name: bytes, prefix: bytes, typeflag: bytes, link: bytes, size: int
) -> bytes:
    # Values longer than their field are cut; the checksum counts its own field as blank.
    block = _USTAR.pack(
        name,
        _octal(entry.mode, 8) + _octal(entry.uid, 8) + _octal(entry.gid, 8),
        _octal(size, 12),
        _octal(entry.mtime_ns // 10**9, 12),
        b" " * 8,
        typeflag,
        link,
        b"ustar\x0000",
        _octal(entry.major, 8) + _octal(entry.minor, 8),
        prefix,
    )
    return block[:148] + b"%06o\0 " % checksum(block) + block[156:]


@lru_cache(maxsize=1024)  # modes, owners and often times are the same from entry to entry
def _octal(number: int, width: int) -> bytes:
    """Return a field, 0 where the number does not fit: then a PAX record holds it."""
    digits = b"%0*o" % (width - 1, number)
    return (digits if len(digits) < width else b"0" * (width - 1)) + b"\0"
