"""What `events` tells: a container's figures, and that it ran out of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One memory counter, in bytes; 0 where the kernel does not say."""

    usage: int
    #: The highest usage seen. cgroup v1.
    max: int
    #: The kernel's largest number where there is no limit.
    limit: int
    #: How often the limit was hit.
    failcnt: int

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Memory:
        """Read one counter; what is missing is 0."""
        return cls(
            **{name: int(fields.get(name, 0)) for name in ("usage", "max", "limit", "failcnt")}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A container's figures: those people ask for, and `raw` for the rest."""

    #: CPU time so far, in nanoseconds.
    cpu_total_ns: int
    cpu_user_ns: int
    cpu_kernel_ns: int
    #: Periods in which the CPU quota ran out.
    cpu_throttled_periods: int
    memory: Memory
    swap: Memory
    #: Bytes of page cache.
    cache: int
    pids: int
    #: 0 for no limit.
    pids_limit: int
    #: All of it as runc printed it (blkio, hugetlb, cpuset, network interfaces …).
    raw: Mapping[str, Any]

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Stats:
        """Read the ``data`` of a stats event; what is missing is 0."""
        cpu = fields.get("cpu") or {}
        usage = cpu.get("usage") or {}
        memory = fields.get("memory") or {}
        pids = fields.get("pids") or {}
        return cls(
            cpu_total_ns=int(usage.get("total", 0)),
            cpu_user_ns=int(usage.get("user", 0)),
            cpu_kernel_ns=int(usage.get("kernel", 0)),
            cpu_throttled_periods=int((cpu.get("throttling") or {}).get("throttledPeriods", 0)),
            memory=Memory.from_json(memory.get("usage") or {}),
            swap=Memory.from_json(memory.get("swap") or {}),
            cache=int(memory.get("cache", 0)),
            pids=int(pids.get("current", 0)),
            pids_limit=int(pids.get("limit", 0)),
            raw=fields,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of `events`."""

    #: ``stats``, ``oom``, or what runc learns later.
    type: str
    container_id: str
    #: With a ``stats`` event.
    stats: Stats | None

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Event:
        """Read one event. Raises LookupError, TypeError or ValueError on other JSON."""
        kind = str(fields["type"])
        stats = Stats.from_json(fields["data"]) if kind == "stats" else None
        return cls(type=kind, container_id=str(fields["id"]), stats=stats)
