"""One log read forwards, also while it is written and rotated."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.executor.domain import log_lines

_CHUNK: Final = 64 * 1024


class LogReader:
    """ports.LogReader: what is open stays readable when it is renamed or deleted."""

    def __init__(self, newest: Path, older: Path | None = None) -> None:
        self._paths = [path for path in (newest, older) if path is not None]
        self._files: deque[int] = deque()
        self._rest = b""
        self._look_for_more()

    def skip_to_last(self, lines: int) -> int:
        """Begin at the last whole lines; return how many there are of them."""
        count = 0
        for file in reversed(tuple(self._files)):
            for offset, raw in backwards(file):
                if log_lines.is_whole(raw):
                    if count == lines:
                        self._skip_to(file, offset + len(raw) + 1)
                        return count
                    count += 1
        return count

    def read(self) -> list[bytes]:
        """Return the next lines, a bounded number of them; none at the end of what is there."""
        while self._files or self._look_for_more():
            # Asked before the read: conmon closes a file before it opens the next one, so the
            # end of a file that has a successor is final.
            is_final = self._look_for_more() or len(self._files) > 1
            chunk = os.read(self._files[0], _CHUNK)
            if chunk:
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                if lines:
                    return lines
            elif is_final:
                os.close(self._files.popleft())
                self._rest = b""  # what conmon did not finish when it died
            else:
                break
        return []

    def close(self) -> None:
        """Close what is open."""
        while self._files:
            os.close(self._files.popleft())

    def _skip_to(self, file: int, offset: int) -> None:
        while self._files[0] != file:
            os.close(self._files.popleft())
        os.lseek(file, offset, os.SEEK_SET)

    def _look_for_more(self) -> bool:
        """Open the files that came after those that are open; tell whether there are any."""
        found: list[int] = []
        # The newest first: what is renamed in between is then met twice, and not never.
        for path in self._paths:
            try:
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            if _inode(file) in {_inode(known) for known in (*self._files, *found)}:
                os.close(file)
                break  # what is older was read before
            found.append(file)
        self._files.extend(reversed(found))
        return bool(found)


def backwards(file: int) -> Iterator[tuple[int, bytes]]:
    """Yield the offsets and lines of a file, last one first."""
    end, rest = os.fstat(file).st_size, b""
    while end > 0:
        begin = max(0, end - _CHUNK)
        block = os.pread(file, end - begin, begin) + rest
        rest, *lines = block.split(b"\n")
        offset = begin + len(block)
        for line in reversed(lines):
            offset -= len(line)
            if line:
                yield offset, line
            offset -= 1
        end = begin
    if rest:
        yield 0, rest


def _inode(file: int) -> int:
    return os.fstat(file).st_ino
