"""One header of a tar archive: its 512 bytes, and the records that override them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple, NoReturn

from shared import errdefs

BLOCK: Final = 512
_XATTR: Final = "SCHILY.xattr."
_MAX_ID: Final = 2**32 - 2
MAX_SIZE: Final = 2**63 - 1
_MAX_NS: Final = 2**63 - 1
_DECIMAL = re.compile(rb"[0-9]{1,20}")
_SECONDS = re.compile(rb"(-?)([0-9]{1,19})(?:\.([0-9]*))?")
#: PAX values that are C strings for everybody else.
_NO_NUL: Final = frozenset({"path", "linkpath", "uname", "gname", "GNU.sparse.name"})
SPARSE_MAP: Final = "GNU.sparse.map"
_SPARSE_PAIR: Final = ("GNU.sparse.offset", "GNU.sparse.numbytes")


class TarError(errdefs.InvalidArgument):
    """The stream is not a sound tar archive."""


class EntryType(StrEnum):
    """What an entry makes; the value is its type flag."""

    REGULAR = "0"
    HARD_LINK = "1"
    SYMLINK = "2"
    CHAR_DEVICE = "3"
    BLOCK_DEVICE = "4"
    DIRECTORY = "5"
    FIFO = "6"


_TYPES: Final[Mapping[bytes, EntryType]] = {
    **{kind.value.encode(): kind for kind in EntryType},
    b"\0": EntryType.REGULAR,
    b"7": EntryType.REGULAR,  # contiguous
    b"S": EntryType.REGULAR,  # sparse
}


_REGULAR: Final = EntryType.REGULAR
_DEVICES: Final = frozenset({EntryType.CHAR_DEVICE, EntryType.BLOCK_DEVICE})
_EXTENSIONS: Final = frozenset({b"x", b"g", b"L", b"K"})
_NONE: Final[Mapping[str, bytes]] = MappingProxyType({})


class Entry(NamedTuple):
    """A member of an archive.

    A tuple, not a dataclass: of those that can't be changed it is made four times as fast.
    """

    #: as the archive has it; bytes that are not UTF-8 are surrogate escapes
    name: str
    type: EntryType = EntryType.REGULAR
    #: permission bits with set-id and sticky
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    #: bytes of the file, 0 for all but regular ones
    size: int = 0
    #: nanoseconds since the epoch
    mtime_ns: int = 0
    #: target of a hard link or symlink
    link: str = ""
    major: int = 0
    minor: int = 0
    xattrs: Mapping[str, bytes] = _NONE


class Header(NamedTuple):
    """A header block that passed its checksum."""

    block: bytes
    typeflag: bytes

    @property
    def is_extension(self) -> bool:
        """Say whether its content describes the next entry, or none."""
        return self.typeflag in _EXTENSIONS

    @property
    def is_sparse(self) -> bool:
        """Say whether it is of GNU's old sparse files, which need no records."""
        return self.typeflag == b"S"

    @property
    def size(self) -> int:
        """Return the size field."""
        return number(self.block[124:136], "size")

    def entry(self, overrides: Mapping[str, bytes]) -> Entry:
        """Return the entry, with PAX and GNU long-name records laid over the block."""
        block = self.block
        name = overrides.get("path") or self._name()
        kind = self._kind(name)
        mode, uid, gid = _mode_and_owner(block[100:124])
        is_device = kind in _DEVICES
        entry = Entry(
            _text(name),
            kind,
            mode,
            uid,
            gid,
            _limited(number(block[124:136], "size"), "size", MAX_SIZE) if kind is _REGULAR else 0,
            _time(block[136:148]),
            _text(_c_string(block[157:257])) if block[157] else "",
            number(block[329:337], "device number") if is_device else 0,
            number(block[337:345], "device number") if is_device else 0,
        )
        return _overridden(entry, overrides) if overrides else entry

    def _name(self) -> bytes:
        block = self.block
        name = _c_string(block[:100])
        # GNU keeps times where POSIX has a prefix; star, with its own trailer, a shorter one.
        if not block[345] or block[257:263] != b"ustar\0":
            return name
        end = 476 if block[508:512] == b"tar\0" else 500
        return _c_string(block[345:end]) + b"/" + name

    def _kind(self, name: bytes) -> EntryType:
        kind = _TYPES.get(self.typeflag)
        if kind is None:
            flag = self.typeflag.decode("latin-1")
            raise TarError(f"entry {_text(name)!r} has the unsupported type {flag!r}")
        if self.typeflag == b"\0" and name.endswith(b"/"):
            return EntryType.DIRECTORY
        return kind


def parse_block(block: bytes) -> Header:
    """Check a header block; raises TarError where its checksum is wrong."""
    field = block[148:156]  # counted as if it were blank
    expected = number(field, "checksum")
    unsigned = checksum(block) - sum(field) + 8 * 0x20
    if expected != unsigned and expected != _signed_sum(block):
        raise TarError("invalid tar header: its checksum does not match")
    return Header(block, block[156:157])


def parse_pax(data: bytes) -> dict[str, bytes]:
    """Return the records of a PAX header; an empty value takes an override back.

    The pairs of a sparse file of version 0.0, the only records that come more than once, are
    returned as the one map that 0.1 has.
    """
    records: dict[str, bytes] = {}
    pairs: list[bytes] = []
    at = 0
    while at < len(data):
        key, value, at = _pax_record(data, at)
        if "\0" in key or (key in _NO_NUL and b"\0" in value):
            raise TarError("invalid tar header: a NUL in a PAX record")
        if key not in _SPARSE_PAIR:
            records[key] = value
        elif key == _SPARSE_PAIR[len(pairs) % 2] and b"," not in value:
            pairs.append(value)
        else:
            raise TarError("invalid tar header: a malformed sparse map")
    return records | ({SPARSE_MAP: b",".join(pairs)} if pairs else {})


def _pax_record(data: bytes, at: int) -> tuple[str, bytes, int]:
    """Read a length, a space, key=value and a newline; the length counts all of it."""
    space = data.find(b" ", at, at + 20)
    digits = data[at:space] if space > at else b""
    end = at + int(digits) if _DECIMAL.fullmatch(digits) else -1
    if not space < end <= len(data) or data[end - 1 : end] != b"\n":
        raise TarError("invalid tar header: a malformed PAX record")
    key, equals, value = data[space + 1 : end - 1].partition(b"=")
    if not key or not equals:
        raise TarError("invalid tar header: a malformed PAX record")
    return _text(key), value, end


def checksum(block: bytes) -> int:
    """Return the sum of a block's bytes; the built-in ``sum`` takes ten times as long.

    The sum of at most 256 bytes is the lower half of their Adler-32, less one.
    """
    return (zlib.adler32(block[:256]) & 0xFFFF) + (zlib.adler32(block[256:]) & 0xFFFF) - 2


def _signed_sum(block: bytes) -> int:
    # Some old tars summed signed characters.
    checked = block[:148] + b" " * 8 + block[156:]
    return sum(checked) - 256 * sum(byte > 127 for byte in checked)


def _c_string(data: bytes) -> bytes:
    return data.partition(b"\0")[0]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def number(data: bytes, what: str) -> int:
    """Read an octal or, with its first bit set, a base-256 number; none may be negative."""
    digits = data.rstrip(b" \0")
    if not digits.isdigit():  # padded in front, ended early, binary, or nothing at all
        if data[0] & 0xC0 == 0x80:
            return int.from_bytes(bytes([data[0] & 0x7F]) + data[1:], "big")
        digits = _c_string(data).strip(b" ") or b"0"
    try:
        return int(digits, 8) if digits.isdigit() else _malformed(what)
    except ValueError:
        return _malformed(what)


def _malformed(what: str) -> NoReturn:
    raise TarError(f"invalid tar header: a malformed {what}") from None


def decimal(value: bytes, what: str) -> int:
    """Read a number of a PAX record."""
    if not _DECIMAL.fullmatch(value):
        raise TarError(f"invalid tar header: a malformed {what}")
    return int(value)


@lru_cache(maxsize=256)  # most entries have those of the one before
def _mode_and_owner(data: bytes) -> tuple[int, int, int]:
    """Read mode, uid and gid, eight bytes each."""
    mode, uid, gid = number(data[:8], "mode"), number(data[8:16], "uid"), number(data[16:], "gid")
    return mode & 0o7777, _limited(uid, "uid", _MAX_ID), _limited(gid, "gid", _MAX_ID)


@lru_cache(maxsize=256)
def _time(data: bytes) -> int:
    """Return nanoseconds; a time no file can have becomes the epoch, as in Docker."""
    time_ns = 0 if data[0] >= 0xC0 else number(data, "time") * 10**9
    return time_ns if time_ns <= _MAX_NS else 0


def _limited(found: int, what: str, limit: int) -> int:
    if found > limit:
        raise TarError(f"invalid tar header: {what} {found} is too large")
    return found


def _overridden(entry: Entry, overrides: Mapping[str, bytes]) -> Entry:
    """Return the entry as its records have it; its name they have given already."""
    is_file = entry.type is _REGULAR
    linkpath = overrides.get("linkpath")
    return entry._replace(
        uid=_pax_number(overrides, "uid", entry.uid, _MAX_ID),
        gid=_pax_number(overrides, "gid", entry.gid, _MAX_ID),
        size=_pax_number(overrides, "size", entry.size, MAX_SIZE) if is_file else 0,
        mtime_ns=_pax_time(overrides, entry.mtime_ns),
        link=_text(linkpath) if linkpath else entry.link,
        xattrs={
            key.removeprefix(_XATTR): value
            for key, value in overrides.items()
            if key.startswith(_XATTR)
        },
    )


def _pax_number(overrides: Mapping[str, bytes], key: str, otherwise: int, limit: int) -> int:
    value = overrides.get(key)
    return _limited(decimal(value, key), key, limit) if value else otherwise


def _pax_time(overrides: Mapping[str, bytes], otherwise: int) -> int:
    value = overrides.get("mtime")
    if not value:
        return otherwise
    found = _SECONDS.fullmatch(value)
    if found is None:
        raise TarError("invalid tar header: a malformed mtime")
    sign, seconds, fraction = found.groups()
    time_ns = int(seconds) * 10**9 + int((fraction or b"")[:9].ljust(9, b"0"))
    return time_ns if not sign and time_ns <= _MAX_NS else 0
