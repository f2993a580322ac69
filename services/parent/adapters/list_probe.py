"""A list of plugins, asked for while the gateway starts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

_QUESTION = b"GET /plugins HTTP/1.1\r\nHost: wherry\r\nConnection: close\r\n\r\n"
#: What an answer waits for may itself wait for services that are still to start.
_PATIENCE_S = 1.0


class ListProbe:
    """Tells when the gateway does what its first clients wait for."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._connection: socket.socket | None = None
        self._asked_at = 0.0

    def is_answered(self) -> bool:
        """Tell whether a list was answered, whatever with, or took too long; never waits.

        After that it must not be asked again.
        """
        if self._connection is None:
            self._ask()
            return False
        is_over = self._has_answer(self._connection)
        if is_over:
            self._connection.close()
        return is_over

    def _ask(self) -> None:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(0)
        try:
            client.connect(str(self._path))
            client.sendall(_QUESTION)
        except OSError:
            client.close()  # nobody is there yet
            return
        self._connection, self._asked_at = client, self._clock()

    def _has_answer(self, connection: socket.socket) -> bool:
        # One that dies meanwhile hangs up, and nobody waits for its successor.
        with contextlib.suppress(BlockingIOError):
            with contextlib.suppress(ConnectionError):
                connection.recv(1)
            return True
        return self._clock() - self._asked_at >= _PATIENCE_S
