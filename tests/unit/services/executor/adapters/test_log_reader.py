"""A log is read whole, however it is rotated meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.executor.adapters.log_reader import LogReader


class Log:
    """A log as conmon writes it and the executor rotates it."""

    def __init__(self, folder: Path) -> None:
        self.newest = folder / "log"
        self.older = folder / "log.1"
        self._written = 0

    def write(self, lines: int = 1) -> None:
        """Write numbered lines."""
        with self.newest.open("ab") as log:
            for _ in range(lines):
                self._written += 1
                log.write(b"2026-01-01T00:00:00.0Z stdout F %d\n" % self._written)

    def rotate(self) -> None:
        """Rename the newest file over the old one."""
        self.newest.replace(self.older)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Give a log that is empty."""
    return Log(tmp_path)


@pytest.fixture
def reader(log: Log) -> Iterator[LogReader]:
    """Open the log before anything is written."""
    reader = LogReader(log.newest, log.older)
    yield reader
    reader.close()


def read(reader: LogReader) -> list[int]:
    """Return the numbers of the lines up to the end of what is there."""
    found: list[int] = []
    while lines := reader.read():
        found += [int(line.rsplit(b" ", 1)[1]) for line in lines]
    return found


def test_what_is_written_later(log: Log, reader: LogReader) -> None:
    """A reader that was at the end goes on with what is written then."""
    assert read(reader) == []
    log.write(2)
    assert read(reader) == [1, 2]
    log.write()
    assert read(reader) == [3]


def test_rotation(log: Log, reader: LogReader) -> None:
    """What was written before and after a rotation comes once and in order."""
    log.write()
    assert read(reader) == [1]
    log.write()
    log.rotate()
    assert read(reader) == [2]
    log.write()
    assert read(reader) == [3]
    log.rotate()
    log.write()
    assert read(reader) == [4]


def test_two_rotations_at_once(log: Log, reader: LogReader) -> None:
    """A reader that missed a rotation reads both files, and the one it had."""
    log.write()
    read(reader)
    for _ in range(2):
        log.write()
        log.rotate()
    log.write()
    assert read(reader) == [2, 3, 4]


def test_both_files_are_there(log: Log) -> None:
    """A reader that comes after a rotation begins with the old file."""
    log.write(2)
    log.rotate()
    log.write()
    reader = LogReader(log.newest, log.older)
    assert read(reader) == [1, 2, 3]
    reader.close()


def test_line_in_two_pieces(log: Log, reader: LogReader) -> None:
    """A line comes when it is finished."""
    with log.newest.open("ab", buffering=0) as file:
        file.write(b"2026-01-01T00:00:00.0Z stdout F 1")
        assert reader.read() == []
        file.write(b"2\n")
    assert read(reader) == [12]


def test_deleted(log: Log) -> None:
    """What was open when it was deleted is read to its end."""
    log.write(3)
    reader = LogReader(log.newest, log.older)
    log.newest.unlink()
    assert read(reader) == [1, 2, 3]
    reader.close()


@pytest.mark.parametrize("wanted", [0, 1, 2, 3, 4, 9999, 10_000, 20_000])
def test_last_lines(log: Log, wanted: int) -> None:
    """The last lines are found across both files, and counted."""
    log.write(9_997)
    log.rotate()
    log.write(3)
    reader = LogReader(log.newest, log.older)
    assert reader.skip_to_last(wanted) == min(wanted, 10_000)
    assert read(reader) == list(range(10_001 - min(wanted, 10_000), 10_001))
    reader.close()


def test_pieces_of_a_long_line_are_one(log: Log) -> None:
    """The pieces of a line that was too long for one entry count once."""
    log.write()
    with log.newest.open("ab") as file:
        file.write(b"2026-01-01T00:00:00.0Z stdout P 2\n2026-01-01T00:00:00.0Z stdout F 3\n")
    reader = LogReader(log.newest, log.older)
    assert reader.skip_to_last(1) == 1
    assert read(reader) == [2, 3]
    reader.close()
