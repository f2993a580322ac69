from __future__ import annotations

import io
import random
import threading

import pytest

from shared.oci.read_ahead import ReadAhead

CONTENT = random.Random(7).randbytes(5 << 20)


class Counting:
    """Counts what was read of endless bytes."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, size: int, /) -> bytes:
        self.count += size
        return bytes(size)


class Failing:
    """Breaks after its first bytes."""

    def __init__(self) -> None:
        self._pieces = iter([b"first"])

    def read(self, _size: int, /) -> bytes:
        for piece in self._pieces:
            return piece
        raise OSError("broken")


@pytest.mark.parametrize("size", [1 << 10, 1 << 18, 1 << 20])
def test_all_bytes_come_in_order(size: int) -> None:
    """What is read is what the source holds, in pieces no larger than asked for."""
    pieces = []
    with ReadAhead(io.BytesIO(CONTENT)) as ahead:
        while piece := ahead.read(size):
            pieces.append(piece)
        assert ahead.read(size) == b""

    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= size


def test_an_error_comes_after_what_was_read_before_it() -> None:
    """The source's own error is raised, each time anew."""
    with ReadAhead(Failing()) as ahead:
        assert ahead.read(100) == b"first"
        for _ in range(2):
            with pytest.raises(OSError, match="broken"):
                ahead.read(100)


def test_it_reads_a_little_ahead_and_no_further() -> None:
    """Whoever leaves an endless source early gets away, and little of it was read."""
    source = Counting()
    with ReadAhead(source) as ahead:
        ahead.read(1)

    assert source.count <= 4 << 20


def test_leaving_ends_the_thread() -> None:
    """Nobody reads the source any more once the block is left."""
    before = threading.active_count()
    with ReadAhead(Counting()) as ahead:
        ahead.read(1)

    assert threading.active_count() == before
