"""Long answers as sealed files in memory: a socket is given their pages, and no copies of them."""

from __future__ import annotations

import fcntl
import os
from typing import Final

#: Bytes from which on it pays; a shorter answer is copied sooner than a file is asked for.
LONG: Final = 64 * 1024
#: So many at a time: lists under the paths of a few versions of the API.
_KEPT: Final = 4
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class LongAnswers:
    """Sends answers that are sent more than once; close it when it is not needed any more."""

    def __init__(self) -> None:
        self._files: dict[bytes, int] = {}

    def send(self, connection: int, answer: bytes) -> int:
        """Give a socket as much of *answer* as it takes now; return how many bytes that was.

        Fewer where it is full, or broken, which the next write to it tells.
        """
        sent = 0
        try:
            file = self._files.get(answer) or self._keep(answer)
            while sent < len(answer):
                sent += os.sendfile(connection, file, sent, len(answer) - sent)
        except OSError:
            # Also where there is no descriptor or memory for a file: then it is copied.
            return sent
        return sent

    def close(self) -> None:
        """Close all files; what is still unread on sockets stays readable there."""
        while self._files:
            self._forget_oldest()

    def _keep(self, answer: bytes) -> int:
        if len(self._files) >= _KEPT:
            self._forget_oldest()
        file = os.memfd_create("answer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._files[answer] = file
        try:
            left = memoryview(answer)
            while left:
                left = left[os.write(file, left) :]
            # Pages that wait in sockets must stay what they were.
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
        except OSError:
            os.close(self._files.pop(answer))
            raise
        return file

    def _forget_oldest(self) -> None:
        os.close(self._files.pop(next(iter(self._files))))
