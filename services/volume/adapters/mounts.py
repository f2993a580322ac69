"""What local volumes mount: mount(2), umount2(2) and the mount table."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

from services.volume.domain import local
from services.volume.domain.local import MountPlan
from shared import errdefs

_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8
_REC_SLAVE = 16384 | 1 << 19
_OCTAL = re.compile(r"\\([0-7]{3})")

_libc = ctypes.CDLL(None, use_errno=True)


def count(path: Path) -> int:
    """Return how many mounts lie one on the other at exactly *path*."""
    return _places().count(_place(path))


def is_mounted(path: Path) -> bool:
    """Tell whether something is mounted at exactly *path*."""
    return count(path) > 0


def mount(wanted: MountPlan, path: Path) -> None:
    """Mount at *path*; raises errdefs with the kernel's reason."""
    wanted = _with_address(wanted)
    _mount(wanted, path, wanted.flags, wanted.data)
    try:
        for flags in filter(None, (wanted.remount_flags, wanted.propagation)):
            _mount(wanted, path, flags, "")
    except errdefs.Error:
        unmount(path)
        raise


def unmount(path: Path) -> None:
    """Unmount what lies on top at *path*, with all that is mounted below.

    Nothing there is success; raises Conflict when it is busy, and has nothing mounted below.
    """
    number = _umount(path, 0)
    if number == errno.EBUSY and _has_mounts_below(path):
        number = _detach(path)
    if number in (0, errno.EINVAL, errno.ENOENT):
        return
    if number == errno.EBUSY:
        raise errdefs.Conflict(f"{path} is busy: end what uses it, then try again")
    raise errdefs.Internal(f"cannot unmount {path}: {os.strerror(number)}")


def unmount_all(
    path: Path,
    *,
    count: Callable[[Path], int] = count,
    unmount: Callable[[Path], None] = unmount,
) -> None:
    """Unmount all at *path*; raises as unmount, and Conflict for what cannot be reached."""
    left = count(path)
    while left:
        unmount(path)
        before, left = left, count(path)
        if left >= before:
            raise errdefs.Conflict(
                f"{path} is mounted where it cannot be reached: end what is mounted over it, then "
                "try again"
            )


def _detach(path: Path) -> int:
    """Unmount a tree of mounts, in use or not, as dockerd does; return the error's number."""
    # All at once: one by one, what is busy would leave half a volume, and the next owner would
    # take that for a whole one. As a slave, because mounts of a bind are peers of those that they
    # are copies of, and what is unmounted at one is unmounted at all: on the host's own tree, too.
    if _libc.mount(None, os.fsencode(path), None, ctypes.c_ulong(_REC_SLAVE), None):
        return ctypes.get_errno()
    return _umount(path, _MNT_DETACH)


def _umount(path: Path, flags: int) -> int:
    return ctypes.get_errno() if _libc.umount2(os.fsencode(path), flags | _UMOUNT_NOFOLLOW) else 0


def _has_mounts_below(path: Path) -> bool:
    folder = f"{_place(path)}/"
    return any(place.startswith(folder) for place in _places())


def _place(path: Path) -> str:
    """Return how the kernel names *path*, whose last part is not followed where it is a link."""
    return str(path.parent.resolve() / path.name)


def _places() -> list[str]:
    table = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    places = (line.split(" ", 5)[4] for line in table.splitlines())
    return [_OCTAL.sub(lambda found: chr(int(found[1], 8)), place) for place in places]


def _mount(wanted: MountPlan, path: Path, flags: int, data: str) -> None:
    arguments = (wanted.device, str(path), wanted.type)
    encoded = (os.fsencode(one) for one in arguments)
    if _libc.mount(*encoded, ctypes.c_ulong(flags), os.fsencode(data)) == 0:
        return
    reason = os.strerror(ctypes.get_errno())
    for secret in wanted.secrets:
        data = data.replace(secret, "********")
    raise errdefs.Error(
        f"failed to mount local volume: mount {wanted.device}:{path}, data: {data}: "
        f"{reason.lower()}"
    )


def _with_address(wanted: MountPlan) -> MountPlan:
    """Resolve the host that the kernel must be told by address."""
    host = local.host_to_resolve(wanted)
    if not host:
        return wanted
    try:
        address = str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise errdefs.Error(
            f"error resolving passed in network volume address: {host}: {error}"
        ) from error
    return local.resolved(wanted, host, address)
