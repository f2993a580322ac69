"""The cgroups of execs, in the kernel's own hierarchies."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.executor.adapters.cgroups import HostCgroups
from services.executor.domain.layout import Layout
from tests.support.containers import eventually

pytestmark = pytest.mark.root

#: Ends its first thread while another one sleeps, after it has joined the cgroups it is given.
_WITHOUT_LEADER = """
import ctypes, os, pathlib, sys, threading, time
for procs in sys.argv[1:]:
    pathlib.Path(procs).write_text(str(os.getpid()))
threading.Thread(target=time.sleep, args=(600,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""
_LIMIT_S = 10.0
_ROOT = Path("/sys/fs/cgroup")


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """Give a node whose container `c-1` has its cgroups, and leave nothing of it."""
    layout = Layout(exec_root=tmp_path, node=f"test-{uuid.uuid4().hex[:8]}")
    tops = (_ROOT, *_ROOT.glob("*/"))
    for top in (top for top in tops if top.is_mount() and (top / "cgroup.procs").exists()):
        (top / layout.cgroup_of("c-1").lstrip("/")).mkdir(parents=True)
    yield layout
    HostCgroups(layout=layout).remove_all()


def _folders(layout: Layout) -> list[Path]:
    name = layout.cgroup_of("c-1").lstrip("/")
    both = (f"{name}/exec-x", f"*/{name}/exec-x")
    return [folder for pattern in both for folder in _ROOT.glob(pattern)]


async def test_a_process_that_can_not_be_moved_holds_nobody_up(layout: Layout) -> None:
    """The cgroups of an exec that left one stay until it has ended, then go with the container."""
    cgroups = HostCgroups(layout=layout)
    cgroups.make_exec("c-1", "x")
    joined = (f"{folder}/cgroup.procs" for folder in _folders(layout))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _WITHOUT_LEADER, *joined)
    stat = Path(f"/proc/{process.pid}/stat")
    try:
        await eventually(lambda: ") Z " in stat.read_text(), "its first thread has ended")
        # In a thread, which the test can outlast.
        dissolving = asyncio.to_thread(cgroups.dissolve_execs, "c-1", "x")
        await asyncio.wait_for(dissolving, _LIMIT_S)
    finally:
        process.kill()
        await process.wait()

    cgroups.remove("c-1")
    assert _folders(layout) == []
