"""Who a process runs as: `name|uid[:group|gid]` looked up in a container's passwd and group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared import errdefs

_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Numbers as the kernel knows them."""

    uid: int
    gid: int
    #: Other groups that the user is in.
    groups: tuple[int, ...] = ()


def resolve(text: str, *, passwd: str, group: str) -> User:
    """Return the numbers; a number needs no entry. Raises InvalidArgument."""
    wanted, colon, wanted_group = text.partition(":")
    entry = _find(passwd, wanted, fields=4, numbers=2)
    if entry is None and not _is_id(wanted):
        raise errdefs.InvalidArgument(
            f"unable to find user {wanted}: no matching entries in passwd file"
        )
    uid, gid = (int(entry[2]), int(entry[3])) if entry else (int(wanted), 0)
    if colon:
        return User(uid=uid, gid=_gid(wanted_group, group))
    name = entry[0] if entry else None
    others = (
        int(row[2])
        for row in _rows(group, fields=4, numbers=1)
        if name is not None and name in row[3].split(",") and int(row[2]) != gid
    )
    return User(uid=uid, gid=gid, groups=tuple(dict.fromkeys(others)))


def _gid(wanted: str, group: str) -> int:
    entry = _find(group, wanted, fields=3, numbers=1)
    if entry is not None:
        return int(entry[2])
    if _is_id(wanted):
        return int(wanted)
    raise errdefs.InvalidArgument(
        f"unable to find group {wanted}: no matching entries in group file"
    )


def _find(text: str, wanted: str, *, fields: int, numbers: int) -> list[str] | None:
    """Return the entry of a name, or else of a number."""
    rows = list(_rows(text, fields=fields, numbers=numbers))
    named = (row for row in rows if row[0] == wanted)
    numbered = (row for row in rows if row[2] == wanted)
    return next(named, None) or next(numbered, None)


def _rows(text: str, *, fields: int, numbers: int) -> Iterator[list[str]]:
    """Yield the entries; what lacks a field, or a number from the third on, is none."""
    for line in text.splitlines():
        row = line.split(":")
        if len(row) >= fields and all(map(_is_id, row[2 : 2 + numbers])):
            yield row


def _is_id(text: str) -> bool:
    # Python takes no number of thousands of digits.
    is_short = len(text) <= len(str(_LARGEST_ID))
    return text.isascii() and text.isdecimal() and is_short and int(text) <= _LARGEST_ID
