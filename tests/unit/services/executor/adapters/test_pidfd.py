"""Processes by their pid, on threads of the test's own: /proc shows them like processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.executor.adapters.pidfd import PidfdProcesses, identify
from services.executor.domain.record import Process


@pytest.fixture
def thread() -> Iterator[int]:
    """Give the id of a thread that lives as long as the test."""
    over = threading.Event()
    one = threading.Thread(target=over.wait)
    one.start()
    assert one.native_id is not None
    yield one.native_id
    over.set()
    one.join()


@pytest.mark.parametrize("name", [b"p\xff", "плагинтомов".encode()[:15], b"a) R 1 (b"])
def test_any_name(thread: int, name: bytes) -> None:
    """What is not text, or looks like other fields, may be a name: who it is stays the same."""
    before = identify(thread)
    Path(f"/proc/self/task/{thread}/comm").write_bytes(name)

    assert before is not None
    assert identify(thread) == before


async def test_a_thread_is_no_process(thread: int) -> None:
    """A process whose pid is a thread's by now has ended, and is sent nothing."""
    processes, gone = PidfdProcesses(), Process(pid=thread, birth="an earlier boot:1")

    assert not processes.is_alive(gone)
    assert not processes.send(gone, signal.SIGKILL)
    await processes.ended(gone)
