"""Whether a bind would show what is Wherry's own."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from services.executor.domain import mount_table
from services.executor.domain.own_places import below, is_own

_TABLE = r"""
27 1 254:0 / / rw - ext4 /dev/vda rw
30 27 0:20 / /run rw - tmpfs tmpfs rw
40 27 254:0 /var/lib/wherry /var/lib/wherry rw shared:2 - ext4 /dev/vda rw
41 27 254:0 /var /srv/alias rw - ext4 /dev/vda rw
42 27 254:16 / /data rw - ext4 /dev/vdb rw
43 40 0:50 / /var/lib/wherry/volumes/t/_data rw - tmpfs tmpfs rw
44 40 254:0 / /var/lib/wherry/volumes/all/_data rw - ext4 /dev/vda rw
46 30 0:60 / /run/wherry/c/x/secrets rw - tmpfs tmpfs rw
45 27 0:5 / /dev rw - devtmpfs devtmpfs rw
""".strip()
_MOUNTS = mount_table.parse(_TABLE)
_ROOT, _EXEC_ROOT, _KEY = map(PurePath, ("/var/lib/wherry", "/run/wherry", "/etc/tls/key.pem"))


#: Where the file system of the disk has them.
_ON_THE_DISK = ("var/lib/wherry", "etc/tls/key.pem")
_OWN = (_ROOT, _EXEC_ROOT, _KEY)


def _is_own(source: str) -> PurePath | None:
    return is_own(_MOUNTS, PurePath(source), _OWN, [_ROOT / "volumes"])


def _below(source: str) -> set[str]:
    return {str(path) for path in below(_MOUNTS, PurePath(source), _OWN, [_ROOT / "volumes"])}


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ("/var/lib/wherry", _ROOT),
        ("/var/lib/wherry/store/store.db", _ROOT),
        ("/var/lib/wherry/plugins/x/rootfs", _ROOT),
        ("/srv/alias/lib/wherry", _ROOT),
        ("/srv/alias/lib/wherry/keys", _ROOT),
        ("/run/wherry", _EXEC_ROOT),
        ("/run/wherry/docker.sock", _EXEC_ROOT),
        ("/run/wherry/c/x/secrets", _EXEC_ROOT),
        ("/etc/tls/key.pem", _KEY),
    ],
)
def test_what_is_ones_own(source: str, own: PurePath) -> None:
    """By its path, by another mount of it, and what is mounted within."""
    assert _is_own(source) == own


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "/var",
        "/data",
        "/dev",
        "/home/me",
        "/run/other",
        "/etc/tls/cert.pem",
        "/var/lib/wherry/volumes/data/_data",
        "/var/lib/wherry/volumes/t/_data",
    ],
)
def test_what_is_somebody_elses(source: str) -> None:
    """Neighbours and folders above are, and what local volumes hold."""
    assert _is_own(source) is None


@pytest.mark.parametrize(
    ("source", "hidden"),
    [
        (
            "/",
            {
                *("var/lib/wherry", "run/wherry", "etc/tls/key.pem", "srv/alias/lib/wherry"),
                *(f"var/lib/wherry/volumes/all/_data/{p}" for p in _ON_THE_DISK),
            },
        ),
        ("/srv", {"alias/lib/wherry"}),
        ("/srv/alias/lib", {"wherry"}),
        ("/run", {"wherry"}),
        ("/etc", {"tls/key.pem"}),
        ("/var/lib/wherry/volumes/all/_data", {*_ON_THE_DISK}),
        ("/home", set()),
        ("/dev", set()),
    ],
)
def test_what_is_seen_from_above_is_found_wherever_it_is_seen(
    source: str, hidden: set[str]
) -> None:
    """A bind of a folder above shows it by its path, and by whatever is mounted below."""
    assert _below(source) >= hidden
    assert all("wherry" in path or "key" in path for path in _below(source))
