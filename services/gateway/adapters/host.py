"""The machine, read once from the kernel and /etc/os-release."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

from services.gateway.domain.host import Host

_CGROUPS: Final = Path("/sys/fs/cgroup")
#: As Go calls what the kernel calls otherwise.
_GO_ARCH: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
#: By the keys of Docker's info: a file of cgroup v1, and the controller's file of v2.
_LIMITS: Final = {
    "MemoryLimit": ("memory/memory.limit_in_bytes", "memory"),
    "SwapLimit": ("memory/memory.memsw.limit_in_bytes", "memory"),
    "CpuCfsPeriod": ("cpu/cpu.cfs_period_us", "cpu"),
    "CpuCfsQuota": ("cpu/cpu.cfs_quota_us", "cpu"),
    "CPUShares": ("cpu/cpu.shares", "cpu"),
    "CPUSet": ("cpuset/cpuset.cpus", "cpuset"),
    "PidsLimit": ("pids/cgroup.procs", "pids"),
}


def read_host() -> Host:
    """Return what is true of this machine."""
    kernel = os.uname()
    release = _os_release()
    is_v2 = (_CGROUPS / "cgroup.controllers").exists()
    return Host(
        kernel_version=kernel.release,
        operating_system=release.get("PRETTY_NAME", kernel.sysname),
        os_version=release.get("VERSION_ID", ""),
        machine=kernel.machine,
        arch=_GO_ARCH.get(kernel.machine, kernel.machine),
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        cgroup_version="2" if is_v2 else "1",
        limits=_limits_v2() if is_v2 else _limits_v1(),
    )


class LinuxMachine:
    """ports.Machine from /proc."""

    def open_files(self) -> int:
        """Return how many descriptors this process holds."""
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    def forwards_ipv4(self) -> bool:
        """Say whether the kernel forwards IPv4."""
        try:
            return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"
        except OSError:
            return False


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _limits_v1() -> dict[str, bool]:
    return {key: (_CGROUPS / file).exists() for key, (file, _) in _LIMITS.items()}


def _limits_v2() -> dict[str, bool]:
    controllers = (_CGROUPS / "cgroup.controllers").read_text().split()
    return {key: controller in controllers for key, (_, controller) in _LIMITS.items()}
