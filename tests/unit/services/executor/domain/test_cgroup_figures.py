"""Figures out of the files of cgroups."""

from __future__ import annotations

from services.executor.domain import cgroup_figures
from services.executor.domain.cgroup_figures import HostFigures
from shared.contracts.executor import BlockFigures, ContainerFigures, CpuFigures

_HOST = HostFigures(cpu_ns=10**12, cpus=2, memory_bytes=8 << 30)

_V1 = {
    # Of a hybrid host: the second part is of the unified hierarchy, which has no controllers.
    "cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 7000\nusage_usec 1\nuser_usec 1",
    "cpuacct.usage": "123456789",
    "cpuacct.stat": "user 7\nsystem 3",
    "memory.usage_in_bytes": "4096",
    "memory.max_usage_in_bytes": "8192",
    "memory.limit_in_bytes": "9223372036854771712",
    "memory.failcnt": "1",
    "memory.stat": "cache 0\ntotal_inactive_file 1024",
    "pids.current": "3",
    "pids.max": "max",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 0\nTotal 4096",
    "blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 0",
}
_V2 = {
    "cpu.stat": (
        "usage_usec 123456\nuser_usec 70000\nsystem_usec 30000\n"
        "nr_periods 5\nnr_throttled 2\nthrottled_usec 7"
    ),
    "memory.current": "4096",
    "memory.max": "16777216",
    "memory.stat": "anon 1\ninactive_file 1024",
    "pids.current": "3",
    "pids.max": "20",
    "io.stat": "8:0 rbytes=4096 wbytes=512 rios=1 wios=2 dbytes=0 dios=0",
}


def test_kills_for_want_of_memory_are_counted_by_the_kernel() -> None:
    """In memory.oom_control of version 1, in memory.events of version 2, or nowhere."""
    assert cgroup_figures.tells_of_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 1")
    assert cgroup_figures.tells_of_kills("low 0\nhigh 0\nmax 9\noom 2\noom_kill 2")
    assert not cgroup_figures.tells_of_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 0")
    assert not cgroup_figures.tells_of_kills("")


def _build(files: dict[str, str]) -> ContainerFigures:
    return cgroup_figures.build("c-1", 1, lambda name: files.get(name, ""), _HOST)


def test_version_1() -> None:
    """Version 1, also beside an empty version 2: no limit of memory is the host's memory."""
    figures = _build(_V1)
    assert figures.cpu == CpuFigures(
        total_ns=123456789,
        kernel_ns=30_000_000,
        user_ns=70_000_000,
        periods=5,
        throttled_periods=2,
        throttled_ns=7000,
    )
    memory = figures.memory
    assert (memory.usage_bytes, memory.max_usage_bytes, memory.failures) == (4096, 8192, 1)
    assert memory.limit_bytes == 8 << 30
    assert memory.kernel["total_inactive_file"] == 1024
    assert (figures.pids, figures.pids_limit) == (3, None)
    assert figures.block_io == (
        BlockFigures(major=8, minor=0, operation="read", size_bytes=4096, count=1),
        BlockFigures(major=8, minor=0, operation="write"),
    )


def test_version_2() -> None:
    """Version 2 has microseconds, and other names."""
    figures = _build(_V2)
    assert figures.cpu == CpuFigures(
        total_ns=123_456_000,
        kernel_ns=30_000_000,
        user_ns=70_000_000,
        periods=5,
        throttled_periods=2,
        throttled_ns=7000,
    )
    assert (figures.memory.usage_bytes, figures.memory.limit_bytes) == (4096, 16 << 20)
    assert figures.memory.failures is None
    assert (figures.pids, figures.pids_limit) == (3, 20)
    assert figures.block_io == (
        BlockFigures(major=8, minor=0, operation="read", size_bytes=4096, count=1),
        BlockFigures(major=8, minor=0, operation="write", size_bytes=512, count=2),
    )


def test_a_container_that_is_gone() -> None:
    """Without cgroups there is nothing that is used."""
    figures = _build({})
    assert (figures.cpu, figures.pids, figures.block_io) == (CpuFigures(), 0, ())


def test_host() -> None:
    """The host's time is that of all its processors, without what is counted twice."""
    files = {
        "stat": "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1\ncpu1 1\nintr 5",
        "meminfo": "MemTotal:  1024 kB\nMemFree: 1 kB",
    }
    host = cgroup_figures.read_host(lambda name: files[name])
    assert host == HostFigures(cpu_ns=28 * 10_000_000, cpus=2, memory_bytes=1 << 20)
