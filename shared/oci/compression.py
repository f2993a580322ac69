"""Layers decompressed as they are read, whatever their media type says."""

from __future__ import annotations

import zlib
from typing import IO, Final, cast

import zstandard
from isal import igzip, igzip_lib

from shared.oci.digest import Reader
from shared.oci.tar_header import TarError

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: One of sixteen bytes, then these: a frame that says nothing, with which pzstd begins.
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"

#: isal's stubs declare its error as an instance
_BROKEN: Final = (igzip.BadGzipFile, zlib.error, cast("type[Exception]", igzip_lib.IsalError))


#: A frame that asks for a bigger window is refused: the window is held in memory.
_ZSTD_WINDOW: Final = 64 << 20


def decompressed(source: Reader) -> Reader:
    """Return a reader of what *source* holds: gzip and zstd are sniffed, all else is as it is.

    The reader raises TarError where compressed data is broken.
    """
    head = _read_head(source)
    whole = _Prefixed(head, source)
    if head.startswith(_GZIP):
        return _GzipReader(whole)
    return _ZstdReader(whole) if _is_zstd(head) else whole


def _is_zstd(head: bytes) -> bool:
    return head == _ZSTD or (head[1:] == _ZSTD_SKIPPABLE and head[0] >> 4 == 5)


def _read_head(source: Reader) -> bytes:
    head = b""
    while len(head) < len(_ZSTD):
        data = source.read(len(_ZSTD) - len(head))
        if not data:
            break
        head += data
    return head


class _Prefixed:
    """A reader whose first bytes were read already."""

    def __init__(self, head: bytes, source: Reader) -> None:
        self._head = head
        self._source = source

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._source.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _GzipReader:
    def __init__(self, source: _Prefixed) -> None:
        # isal's Python half has no types.
        self._file = igzip.IGzipFile(fileobj=source, mode="rb")  # type: ignore[no-untyped-call] # isal

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except EOFError as error:
            raise TarError("unexpected EOF") from error
        except _BROKEN as error:
            raise TarError(f"gzip: invalid data: {error}") from error


class _ZstdReader:
    """A frame that breaks off reads as its end: that a blob is whole, its digest tells."""

    def __init__(self, source: _Prefixed) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        # Only read() is asked of it, whatever the stubs say.
        self._stream = decompressor.stream_reader(
            cast("IO[bytes]", source), read_across_frames=True
        )

    def read(self, size: int, /) -> bytes:
        try:
            return self._stream.read(size)
        except zstandard.ZstdError as error:
            raise TarError(f"zstd: invalid data: {error}") from error
