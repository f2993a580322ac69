"""Lock files, with the kernel's locks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared import errdefs
from shared.node.lock import ServiceLock, read_holder

_LIMIT_S = 20.0


def test_holder_is_named(tmp_path: Path) -> None:
    """Who holds a lock can be read, and who wants it too is refused by that name."""
    path = tmp_path / "locks" / "store.lock"
    lock = ServiceLock(path)
    lock.acquire()

    holder = read_holder(path)
    assert holder is not None
    assert holder.pid == os.getpid()
    with pytest.raises(errdefs.Conflict, match=f"store already runs here as process {os.getpid()}"):
        ServiceLock(path).acquire()

    lock.release()
    assert read_holder(path) is None


def test_looking_is_no_holding(tmp_path: Path) -> None:
    """However many look at a lock meanwhile, who acquires it gets it."""
    path = tmp_path / "store.lock"
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            read_holder(path)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(500):
            lock = ServiceLock(path)
            lock.acquire()
            lock.release()
    finally:
        done.set()
        for looker in lookers:
            looker.join(timeout=_LIMIT_S)


def test_outlasts_exec(tmp_path: Path) -> None:
    """The program that a holder becomes holds the lock until it ends."""
    path = tmp_path / "redis.lock"
    code = (
        "import os, pathlib, sys; from shared.node.lock import ServiceLock\n"
        "lock = ServiceLock(pathlib.Path(sys.argv[1])); lock.acquire(); lock.outlast_exec()\n"
        "os.execvp('sh', ['sh', '-c', 'echo ready; read line'])"
    )
    argv = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        holder = read_holder(path)
        program.communicate(b"\n", timeout=_LIMIT_S)

    assert holder is not None
    assert holder.pid == program.pid
    assert read_holder(path) is None
