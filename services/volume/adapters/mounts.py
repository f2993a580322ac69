"""What local volumes mount: mount(2), umount2(2) and the mount table."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import socket
from pathlib import Path

from services.volume.domain import local
from services.volume.domain.local import MountPlan
from shared import errdefs

_UMOUNT_NOFOLLOW = 8
_OCTAL = re.compile(r"\\([0-7]{3})")

_libc = ctypes.CDLL(None, use_errno=True)


def is_mounted(path: Path) -> bool:
    """Tell whether something is mounted at exactly *path*."""
    table = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    places = (line.split(" ", 5)[4] for line in table.splitlines())
    return any(_OCTAL.sub(lambda m: chr(int(m[1], 8)), place) == str(path) for place in places)


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
    """Unmount what lies on top at *path*; nothing there is success, Conflict when it is busy."""
    if _libc.umount2(os.fsencode(path), _UMOUNT_NOFOLLOW) == 0:
        return
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOENT):
        return
    if number == errno.EBUSY:
        raise errdefs.Conflict(f"{path} is busy: end what uses it, then try again")
    raise errdefs.Internal(f"cannot unmount {path}: {os.strerror(number)}")


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
