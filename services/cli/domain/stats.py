"""What a plugin uses, in Docker's figures and with the docker CLI's arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from services.cli.domain.table import cell

HEADINGS: Final = ("NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "BLOCK I/O", "PIDS")
_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL: Final = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """One look at a plugin; what is None, nobody could tell."""

    name: str
    cpu_percent: float | None
    memory_bytes: int | None
    memory_limit_bytes: int | None
    read_bytes: int
    written_bytes: int
    pids: int | None

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read Docker's stats object."""
        memory = shown["memory_stats"]
        blocks = shown["blkio_stats"].get("io_service_bytes_recursive") or ()
        return cls(
            name=shown["name"],
            cpu_percent=_cpu_percent(shown["cpu_stats"], shown["precpu_stats"]),
            memory_bytes=_memory_bytes(memory),
            memory_limit_bytes=memory.get("limit"),
            read_bytes=sum(each["value"] for each in blocks if each["op"] == "read"),
            written_bytes=sum(each["value"] for each in blocks if each["op"] == "write"),
            pids=shown["pids_stats"].get("current"),
        )

    @property
    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        used, limit = self.memory_bytes, self.memory_limit_bytes
        in_and_out = (_size(size, _DECIMAL, 1000) for size in (self.read_bytes, self.written_bytes))
        share = None if used is None or not limit else 100 * used / limit
        return (
            self.name,
            _percent(self.cpu_percent),
            f"{_size(used, _BINARY, 1024)} / {_size(limit, _BINARY, 1024)}",
            _percent(share),
            " / ".join(in_and_out),
            cell(self.pids),
        )


def _cpu_percent(now: Mapping[str, Any], before: Mapping[str, Any]) -> float | None:
    """Return processors' worth of time in percent, 100 for each."""
    if "system_cpu_usage" not in now or "system_cpu_usage" not in before:
        return None
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now["system_cpu_usage"] - before["system_cpu_usage"]
    return 100.0 * now["online_cpus"] * used / passed if passed > 0 and used >= 0 else 0.0


def _memory_bytes(memory: Mapping[str, Any]) -> int | None:
    """Return what is used beyond the cache that the kernel would give back at once."""
    if "usage" not in memory:
        return None
    kernel = memory.get("stats", {})
    cache = kernel.get("total_inactive_file", kernel.get("inactive_file", 0))
    usage = int(memory["usage"])
    return usage - int(cache) if cache < usage else usage


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}%"


def _size(value: int | None, units: Sequence[str], base: int) -> str:
    """Write a size with four significant digits at most."""
    if value is None:
        return "-"
    scaled, power = float(value), 0
    while scaled >= base and power < len(units) - 1:
        scaled, power = scaled / base, power + 1
    return f"{scaled:.4g}{units[power]}"
