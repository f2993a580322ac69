from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from services.pull.adapters.writeback import Writeback
from shared import errdefs

MB = 1 << 20


class Later(Executor):
    """Does nothing before it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Future[Any], Callable[..., Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Keep it."""
        assert not args
        assert not kwargs
        future: Future[Any] = Future()
        self.asked.append((future, fn))
        return future

    def do(self, error: Exception | None = None) -> None:
        """Do what was asked last, or fail it."""
        future, fn = self.asked[-1]
        if future.set_running_or_notify_cancel():
            if error:
                future.set_exception(error)
            else:
                future.set_result(fn())


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_little_is_not_synced(later: Later, tmp_path: Path) -> None:
    """What is small is on the disk soon enough once it is whole."""
    with Writeback(tmp_path, later) as writeback:
        writeback.advance(31 * MB)
    assert not later.asked


def test_much_is_synced_again_and_again_one_at_a_time(later: Later, tmp_path: Path) -> None:
    """While one sync runs, no other is asked for."""
    with Writeback(tmp_path, later) as writeback:
        for count in (32, 64, 96):
            writeback.advance(count * MB)
        assert len(later.asked) == 1
        later.do()
        writeback.advance(97 * MB)
        assert len(later.asked) == 2


def test_a_sync_that_has_not_begun_is_not_waited_for(later: Later, tmp_path: Path) -> None:
    """It is another job's that holds it up."""
    with Writeback(tmp_path, later) as writeback:
        writeback.advance(32 * MB)
    assert later.asked[0][0].cancelled()


def write(folder: Path, later: Later, failure: Exception, then: Callable[[], None]) -> None:
    """Fail a sync, and go on."""
    with Writeback(folder, later) as writeback:
        writeback.advance(32 * MB)
        later.do(failure)
        then()


def test_a_failed_write_is_told_at_the_next_step(later: Later, tmp_path: Path) -> None:
    """The kernel will not tell the store of it again."""
    writeback = Writeback(tmp_path, later)
    writeback.advance(32 * MB)
    later.do(OSError("bad disk"))
    with pytest.raises(OSError, match="bad disk"):
        writeback.advance(64 * MB)


def test_a_failed_write_is_told_at_the_end(later: Later, tmp_path: Path) -> None:
    """What was unpacked is not what is on the disk."""
    full = errdefs.ResourceExhausted("the disk is full")
    with pytest.raises(errdefs.ResourceExhausted, match="full"):
        write(tmp_path, later, full, lambda: None)


def test_another_error_comes_first(later: Later, tmp_path: Path) -> None:
    """What ended the work is told, not what came of it."""

    def stop() -> None:
        raise errdefs.Unavailable("stopped")

    with pytest.raises(errdefs.Unavailable, match="stopped"):
        write(tmp_path, later, OSError("bad disk"), stop)


def test_a_real_file_system_is_synced(thread: ThreadPoolExecutor, tmp_path: Path) -> None:
    """The kernel takes the call."""
    with Writeback(tmp_path, thread) as writeback:
        writeback.advance(32 * MB)
