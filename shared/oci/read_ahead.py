"""A reader that a thread of its own keeps ahead of."""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Final, Self

from shared.oci.digest import Reader

#: Big enough to be worth a change of threads, small enough for the processor's caches.
_PIECE: Final = 256 << 10  # bytes
_PIECES: Final = 8


class ReadAhead:
    """Reads *source* in a thread, in pieces, up to 2 MiB ahead of whoever reads this.

    A context manager; leaving it waits until the thread is done with *source*.
    """

    def __init__(self, source: Reader) -> None:
        self._source = source
        #: The last is empty, or what the source has raised.
        self._pieces: queue.Queue[bytes | BaseException] = queue.Queue(_PIECES)
        self._piece = b""
        self._end: bytes | BaseException | None = None
        self._is_left = False
        self._thread = threading.Thread(target=self._run, name="read-ahead")

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop reading, after the piece that is being read."""
        self._is_left = True
        while self._end is None:
            self._take()
        self._thread.join()

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes, empty only at the end; raises what the source raised."""
        piece = self._piece or self._next()
        self._piece = piece[size:]
        return piece[:size]

    def _next(self) -> bytes:
        piece = self._end if self._end is not None else self._take()
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def _take(self) -> bytes | BaseException:
        piece = self._pieces.get()
        if isinstance(piece, BaseException) or not piece:
            self._end = piece
        return piece

    def _run(self) -> None:
        try:
            while not self._is_left and (piece := self._source.read(_PIECE)):
                self._pieces.put(piece)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is read
            self._pieces.put(error)
        else:
            self._pieces.put(b"")
