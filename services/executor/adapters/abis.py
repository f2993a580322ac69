"""Which system call interfaces of its machine this kernel has."""

from __future__ import annotations

import ctypes
import errno
import functools
import platform
from pathlib import Path
from typing import Final

from shared.oci.seccomp import X32

#: What marks a call of x32, and getpid(2), which asks for nothing and changes nothing.
_X32_BIT: Final = 0x40000000
_GETPID: Final = 39


@functools.cache
def lacking_abis() -> frozenset[str]:
    """Return those that no program can use here, by the names of the seccomp profile.

    Where that can't be asked without risk, none.
    """
    if platform.machine() != "x86_64" or _is_filtered():
        return frozenset()
    libc = ctypes.CDLL(None, use_errno=True)
    has_x32 = libc.syscall(_X32_BIT | _GETPID) >= 0 or ctypes.get_errno() != errno.ENOSYS
    return frozenset() if has_x32 else frozenset({X32})


def _is_filtered() -> bool:
    """Tell whether a seccomp filter holds us: one of systemd's kills who calls by another ABI."""
    status = Path("/proc/self/status").read_text()
    return "\nSeccomp:\t0\n" not in status
