"""What a container uses, out of the files of its cgroups: version 1, version 2, or both at once.

A name means the same wherever it stands, but for cpu.stat, which says different things under
different keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.contracts.executor import BlockFigures, ContainerFigures, CpuFigures, MemoryFigures

#: Returns what the files of this name hold, of all hierarchies; nothing where there is none.
Read = Callable[[str], str]

_US = 1_000
_NS = 1_000_000_000
#: USER_HZ, which Linux has fixed for programs.
_TICK_NS = _NS // 100
#: Behind user, nice, system, idle, iowait, irq and softirq come times that are in these already.
_HOST_TIMES = 7
#: `8:0 Read 4096` of version 1.
_V1_BLOCK = re.compile(r"(\d+):(\d+) (Read|Write) (\d+)")
#: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …` of version 2.
_V2_BLOCK = re.compile(r"(\d+):(\d+) rbytes=(\d+) wbytes=(\d+) rios=(\d+) wios=(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFigures:
    """What the host has."""

    cpu_ns: int
    cpus: int
    memory_bytes: int


def read_host(read: Read) -> HostFigures:
    """Read /proc through *read*, which is given names below it."""
    first, *others = read("stat").splitlines()
    ticks = sum(int(count) for count in first.split()[1 : 1 + _HOST_TIMES])
    total = re.search(r"MemTotal: +(\d+) kB", read("meminfo"))
    return HostFigures(
        cpu_ns=ticks * _TICK_NS,
        cpus=sum(line.startswith("cpu") for line in others),
        memory_bytes=int(total[1]) * 1024 if total else 0,
    )


def build(container_id: str, now_ns: int, read: Read, host: HostFigures) -> ContainerFigures:
    """Return the figures of a container's cgroups; zero for what they do not tell."""
    return ContainerFigures(
        container_id=container_id,
        read_at_ns=now_ns,
        host_cpu_ns=host.cpu_ns,
        host_cpus=host.cpus,
        cpu=_cpu(read),
        memory=_memory(read, host.memory_bytes),
        pids=_number(read("pids.current")) or 0,
        pids_limit=_number(read("pids.max")),
        block_io=tuple(_block_io(read)),
    )


def tells_of_kills(events: str) -> bool:
    """Tell whether memory.oom_control of version 1, or memory.events, counts a kill."""
    return _pairs(events).get("oom_kill", 0) > 0


def _cpu(read: Read) -> CpuFigures:
    both = _pairs(read("cpu.stat"))
    times = _pairs(read("cpuacct.stat"))
    total_ns = _number(read("cpuacct.usage"))
    held_back_ns = both.get("throttled_time", both.get("throttled_usec", 0) * _US)
    rest = {
        "periods": both.get("nr_periods", 0),
        "throttled_periods": both.get("nr_throttled", 0),
        "throttled_ns": held_back_ns,
    }
    if total_ns is None:
        return CpuFigures(
            total_ns=both.get("usage_usec", 0) * _US,
            kernel_ns=both.get("system_usec", 0) * _US,
            user_ns=both.get("user_usec", 0) * _US,
            **rest,
        )
    return CpuFigures(
        total_ns=total_ns,
        kernel_ns=times.get("system", 0) * _TICK_NS,
        user_ns=times.get("user", 0) * _TICK_NS,
        **rest,
    )


def _memory(read: Read, host_bytes: int) -> MemoryFigures:
    limit = _first(read, "memory.limit_in_bytes", "memory.max")
    return MemoryFigures(
        usage_bytes=_first(read, "memory.usage_in_bytes", "memory.current") or 0,
        max_usage_bytes=_first(read, "memory.max_usage_in_bytes", "memory.peak"),
        # Without a limit version 1 says a number beyond all memory, and version 2 "max".
        limit_bytes=host_bytes if limit is None else min(limit, host_bytes),
        failures=_number(read("memory.failcnt")),
        kernel=_pairs(read("memory.stat")),
    )


def _block_io(read: Read) -> Iterator[BlockFigures]:
    sizes, counts = (
        {(int(a), int(b), op): int(n) for a, b, op, n in _V1_BLOCK.findall(read(name))}
        for name in (
            "blkio.throttle.io_service_bytes_recursive",
            "blkio.throttle.io_serviced_recursive",
        )
    )
    for key, size in sizes.items():
        yield _block(*key, size, counts.get(key, 0))
    for major, minor, *figures in _V2_BLOCK.findall(read("io.stat")):
        read_bytes, write_bytes, reads, writes = map(int, figures)
        yield _block(int(major), int(minor), "Read", read_bytes, reads)
        yield _block(int(major), int(minor), "Write", write_bytes, writes)


def _block(major: int, minor: int, operation: str, size: int, count: int) -> BlockFigures:
    return BlockFigures(
        major=major, minor=minor, operation=operation.lower(), size_bytes=size, count=count
    )


def _pairs(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _first(read: Read, *names: str) -> int | None:
    found = (_number(read(name)) for name in names)
    return next((number for number in found if number is not None), None)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
