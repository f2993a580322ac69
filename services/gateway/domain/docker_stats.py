"""Figures of a container as Docker's stats object."""

from __future__ import annotations

import datetime
from typing import Any, Final

from shared.contracts.executor import BlockFigures, ContainerFigures

_NS: Final = 10**9
_NEVER: Final = "0001-01-01T00:00:00Z"
_NO_CPU: Final[dict[str, Any]] = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}


def stats_object(
    name: str, plugin_id: str, now: ContainerFigures | None, before: ContainerFigures | None
) -> dict[str, Any]:
    """Return the object of a plugin; *before* is the look by which a rate is told, if any.

    One that does not run has nothing but its name, as Docker shows a stopped container.
    """
    return {
        "name": name,
        "id": plugin_id,
        "read": _moment(now),
        "preread": _moment(before),
        "num_procs": 0,
        "pids_stats": _pids(now),
        "cpu_stats": _cpu(now),
        "precpu_stats": _cpu(before),
        "memory_stats": _memory(now),
        "blkio_stats": _block_io(now.block_io if now else ()),
        "storage_stats": {},
    }


def _pids(now: ContainerFigures | None) -> dict[str, Any]:
    if now is None:
        return {}
    limit = {} if now.pids_limit is None else {"limit": now.pids_limit}
    return {"current": now.pids, **limit}


def _cpu(now: ContainerFigures | None) -> dict[str, Any]:
    if now is None:
        return _NO_CPU
    return {
        "cpu_usage": {
            "total_usage": now.cpu.total_ns,
            "usage_in_kernelmode": now.cpu.kernel_ns,
            "usage_in_usermode": now.cpu.user_ns,
        },
        "system_cpu_usage": now.host_cpu_ns,
        "online_cpus": now.host_cpus,
        "throttling_data": {
            "periods": now.cpu.periods,
            "throttled_periods": now.cpu.throttled_periods,
            "throttled_time": now.cpu.throttled_ns,
        },
    }


def _memory(now: ContainerFigures | None) -> dict[str, Any]:
    if now is None:
        return {}
    memory = now.memory
    shown = {
        "usage": memory.usage_bytes,
        "max_usage": memory.max_usage_bytes,
        "failcnt": memory.failures,
        "limit": memory.limit_bytes,
        "stats": memory.kernel,
    }
    return {key: value for key, value in shown.items() if value is not None}


def _block_io(figures: tuple[BlockFigures, ...]) -> dict[str, Any]:
    return {
        "io_service_bytes_recursive": [_entry(each, each.size_bytes) for each in figures] or None,
        "io_serviced_recursive": [_entry(each, each.count) for each in figures] or None,
    }


def _entry(figures: BlockFigures, value: int) -> dict[str, Any]:
    return {
        "major": figures.major,
        "minor": figures.minor,
        "op": figures.operation,
        "value": value,
    }


def _moment(figures: ContainerFigures | None) -> str:
    if figures is None:
        return _NEVER
    time_ns = figures.read_at_ns
    whole = datetime.datetime.fromtimestamp(time_ns // _NS, tz=datetime.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time_ns % _NS:09}Z"
