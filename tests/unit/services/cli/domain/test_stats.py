"""Figures as `docker stats` shows them."""

from __future__ import annotations

from typing import Any

from services.cli.domain.stats import Stats


def _cpu(total: int, system: int | None) -> dict[str, Any]:
    told = {} if system is None else {"system_cpu_usage": system, "online_cpus": 2}
    return {"cpu_usage": {"total_usage": total}, **told}


def _shown(**more: Any) -> Stats:
    return Stats.from_json(
        {
            "name": "p",
            "cpu_stats": _cpu(150, 2000),
            "precpu_stats": _cpu(100, 1000),
            "memory_stats": {
                "usage": 5 << 20,
                "limit": 10 << 20,
                "stats": {"total_inactive_file": 1 << 20},
            },
            "blkio_stats": {
                "io_service_bytes_recursive": [
                    {"op": "read", "value": 1500},
                    {"op": "write", "value": 12_345_678},
                    {"op": "read", "value": 500},
                ]
            },
            "pids_stats": {"current": 3},
            **more,
        }
    )


def test_row() -> None:
    """Rates count each processor as 100, memory leaves out what the kernel can take back."""
    row = ("p", "10.00%", "4MiB / 10MiB", "40.00%", "2kB / 12.35MB", "3")
    assert _shown().row == row


def test_nothing_is_told() -> None:
    """A dash stands where nobody could tell."""
    stopped = _shown(
        cpu_stats=_cpu(0, None),
        precpu_stats=_cpu(0, None),
        memory_stats={},
        blkio_stats={"io_service_bytes_recursive": None},
        pids_stats={},
    )
    assert stopped.row == ("p", "-", "- / -", "-", "0B / 0B", "-")


def test_version_2() -> None:
    """Cgroup version 2 calls what can be taken back by another name."""
    memory = {"usage": 3 << 20, "limit": 0, "stats": {"inactive_file": 1 << 20}}
    assert _shown(memory_stats=memory).row[2:4] == ("2MiB / 0B", "-")


def test_a_new_container() -> None:
    """What a container of before has used is not counted against the new one."""
    assert _shown(precpu_stats=_cpu(500, 1000)).row[1] == "0.00%"
