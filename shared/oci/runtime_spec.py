"""From what a container shall be to an OCI runtime spec, with Docker's defaults for Linux."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.oci import seccomp
from shared.oci.devices import DeviceNode

OCI_VERSION: Final = "1.0.2"
DEFAULT_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_CAPABILITIES: Final = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
MASKED_PATHS: Final = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
#: zero, null, urandom, random, tty, console
_ALLOWED_CHAR_DEVICES: Final = ((1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1))
_FUSE: Final = (10, 229)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mount, in the runtime spec's words."""

    destination: str
    type: str
    source: str
    options: tuple[str, ...] = ()

    def to_spec(self) -> dict[str, Any]:
        """Return the mount as the runtime spec has it."""
        return {
            "destination": self.destination,
            "type": self.type,
            "source": self.source,
            "options": list(self.options),
        }


_NO_EXEC: Final = ("nosuid", "noexec", "nodev")
DEFAULT_MOUNTS: Final = (
    Mount(destination="/proc", type="proc", source="proc", options=_NO_EXEC),
    Mount(
        destination="/dev",
        type="tmpfs",
        source="tmpfs",
        options=("nosuid", "strictatime", "mode=755", "size=65536k"),
    ),
    Mount(
        destination="/dev/pts",
        type="devpts",
        source="devpts",
        options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    ),
    Mount(destination="/sys", type="sysfs", source="sysfs", options=(*_NO_EXEC, "ro")),
    Mount(destination="/sys/fs/cgroup", type="cgroup", source="cgroup", options=("ro", *_NO_EXEC)),
    Mount(destination="/dev/mqueue", type="mqueue", source="mqueue", options=_NO_EXEC),
    Mount(destination="/dev/shm", type="tmpfs", source="shm", options=(*_NO_EXEC, "mode=1777")),  # noqa: S108  # in the container
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits; ``None`` is unlimited."""

    memory_bytes: int | None = None
    #: CPU time per period, both in microseconds
    cpu_quota_us: int | None = None
    cpu_period_us: int | None = None
    cpu_shares: int | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rlimit:
    """A resource limit of the init process, such as ``RLIMIT_NOFILE``."""

    type: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What a container shall be; everything not said here is Docker's default."""

    #: the unpacked root file system, an absolute path of the host
    rootfs: str
    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    hostname: str = ""
    is_readonly: bool = False
    #: added to the defaults, verbatim, and alone inheritable
    capabilities: tuple[str, ...] = ()
    shares_host_network: bool = False
    shares_host_pid: bool = False
    shares_host_ipc: bool = False
    #: in order, after the defaults
    mounts: tuple[Mount, ...] = ()
    #: bound recursively shared, so that mounts made inside reach the host
    propagated_mount: Mount | None = None
    devices: tuple[DeviceNode, ...] = ()
    allows_all_devices: bool = False
    #: block devices, by major and minor number, that are not among all
    denied_disks: tuple[tuple[int, int], ...] = ()
    cgroups_path: str = ""
    resources: Resources = Resources()
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    oom_score_adj: int | None = None
    #: masked beside the defaults, see ``thermal_throttle_paths``
    masked_paths: tuple[str, ...] = ()
    #: whose default seccomp profile holds, as uname(2) calls it; without one there is none
    seccomp_machine: str | None = None
    #: architectures of that profile that the kernel does not have
    seccomp_lacking: frozenset[str] = frozenset()


def propagated(source: str, destination: str) -> Mount:
    """Return the mount for a folder whose mounts, made inside, reach the host."""
    return Mount(
        destination=destination, type="bind", source=source, options=("rbind", "rw", "rshared")
    )


def thermal_throttle_paths(cpus: Path = Path("/sys/devices/system/cpu")) -> tuple[str, ...]:
    """Return the thermal_throttle folders this host has, which Docker masks."""
    return tuple(sorted(str(path) for path in cpus.glob("cpu[0-9]*/thermal_throttle")))


def build(spec: ContainerSpec) -> dict[str, Any]:
    """Return the runtime spec (config.json of a bundle) for *spec*."""
    built: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": _process(spec),
        "root": {"path": spec.rootfs, "readonly": spec.is_readonly},
        "mounts": [mount.to_spec() for mount in _mounts(spec)],
        "linux": _linux(spec),
    }
    if spec.hostname:
        built["hostname"] = spec.hostname
    return built


def _process(spec: ContainerSpec) -> dict[str, Any]:
    process: dict[str, Any] = {
        "terminal": False,
        "user": {"uid": spec.uid, "gid": spec.gid},
        "args": list(spec.args),
        "env": [DEFAULT_PATH, *spec.env],
        "cwd": spec.cwd or "/",
        "capabilities": _capabilities(spec.capabilities),
        "noNewPrivileges": spec.no_new_privileges,
    }
    if spec.rlimits:
        process["rlimits"] = [
            {"type": limit.type, "soft": limit.soft, "hard": limit.hard} for limit in spec.rlimits
        ]
    if spec.oom_score_adj is not None:
        process["oomScoreAdj"] = spec.oom_score_adj
    return process


def _capabilities(added: tuple[str, ...]) -> dict[str, list[str]]:
    held = [*DEFAULT_CAPABILITIES, *added]
    return {
        "bounding": held,
        "effective": list(held),
        "permitted": list(held),
        "inheritable": list(added),
    }


def _mounts(spec: ContainerSpec) -> Iterator[Mount]:
    """Yield the defaults, then the propagated one, then the user's.

    A user's mount takes the place of the default at the same path below /dev; at /dev itself
    both stay.
    """
    replaced = {mount.destination.rstrip("/") for mount in spec.mounts}
    for mount in DEFAULT_MOUNTS:
        if not (mount.destination.startswith("/dev/") and mount.destination in replaced):
            yield mount
    if spec.propagated_mount is not None:
        yield spec.propagated_mount
    yield from spec.mounts


def _linux(spec: ContainerSpec) -> dict[str, Any]:
    linux: dict[str, Any] = {
        "namespaces": [{"type": name} for name in _namespaces(spec)],
        "devices": [device.to_spec() for device in spec.devices],
        "resources": _resources(spec),
        "maskedPaths": [*MASKED_PATHS, *spec.masked_paths],
        "readonlyPaths": list(READONLY_PATHS),
    }
    if spec.seccomp_machine is not None:
        held = (*DEFAULT_CAPABILITIES, *spec.capabilities)
        linux["seccomp"] = seccomp.default_profile(
            held, machine=spec.seccomp_machine, lacking=spec.seccomp_lacking
        )
    if spec.cgroups_path:
        linux["cgroupsPath"] = spec.cgroups_path
    if spec.propagated_mount is not None:
        linux["rootfsPropagation"] = "rshared"
    return linux


def _namespaces(spec: ContainerSpec) -> Iterator[str]:
    yield "mount"
    if not spec.shares_host_network:
        yield "network"
    yield "uts"
    if not spec.shares_host_pid:
        yield "pid"
    if not spec.shares_host_ipc:
        yield "ipc"


def _resources(spec: ContainerSpec) -> dict[str, Any]:
    limits = spec.resources
    resources: dict[str, Any] = {"devices": list(_device_rules(spec))}
    if limits.memory_bytes is not None:
        resources["memory"] = {"limit": limits.memory_bytes}
    if limits.pids is not None:
        resources["pids"] = {"limit": limits.pids}
    cpu = {
        "quota": limits.cpu_quota_us,
        "period": limits.cpu_period_us,
        "shares": limits.cpu_shares,
    }
    if any(value is not None for value in cpu.values()):
        resources["cpu"] = {key: value for key, value in cpu.items() if value is not None}
    return resources


def _device_rules(spec: ContainerSpec) -> Iterable[dict[str, Any]]:
    if spec.allows_all_devices:
        everything: dict[str, Any] = {"allow": True, "access": "rwm"}
        return [everything, *map(_disk_denied, spec.denied_disks)]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rules += [_char_rule(number, allow=True) for number in _ALLOWED_CHAR_DEVICES]
    rules.append(_char_rule(_FUSE, allow=False))
    return rules + [device.to_rule() for device in spec.devices]


def _disk_denied(number: tuple[int, int]) -> dict[str, Any]:
    major, minor = number
    return {"allow": False, "type": "b", "major": major, "minor": minor, "access": "rwm"}


def _char_rule(number: tuple[int, int], *, allow: bool) -> dict[str, Any]:
    major, minor = number
    return {"allow": allow, "type": "c", "major": major, "minor": minor, "access": "rwm"}
