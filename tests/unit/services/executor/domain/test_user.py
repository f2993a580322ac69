"""Who a process runs as."""

from __future__ import annotations

import pytest

from services.executor.domain import user
from services.executor.domain.user import User
from shared import errdefs

_PASSWD = (
    "root:x:0:0:root:/:/bin/sh\nme:x:1000:100::/:\nbroken\nodd:x:x:y::/:\n7:x:70:71::/:\n"
    "bob:x:80:users::/:\n"
)
_GROUP = "root:x:0:\nstaff:x:50:other,me\nwheel:x:10:me\nmine:x:100:me\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("me", User(uid=1000, gid=100, groups=(50, 10))),
        ("1000", User(uid=1000, gid=100, groups=(50, 10))),
        ("me:wheel", User(uid=1000, gid=10)),
        ("me:7", User(uid=1000, gid=7)),
        ("4:5", User(uid=4, gid=5)),
        ("4", User(uid=4, gid=0)),
        # What is no entry is passed over.
        ("80", User(uid=80, gid=0)),
        # A name that looks like a number is a name, as in passwd(5).
        ("7", User(uid=70, gid=71)),
    ],
)
def test_found(text: str, expected: User) -> None:
    """Names and numbers are looked up; a number needs no entry."""
    assert user.resolve(text, passwd=_PASSWD, group=_GROUP) == expected


@pytest.mark.parametrize(
    "text", ["nobody", "odd", "bob", "me:nobody", "-1", "4294967296", "9" * 5000, "me:-1", ""]
)
def test_not_found(text: str) -> None:
    """What is not there is named."""
    with pytest.raises(errdefs.InvalidArgument, match="unable to find"):
        user.resolve(text, passwd=_PASSWD, group=_GROUP)
