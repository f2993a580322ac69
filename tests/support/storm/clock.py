"""The clock that the services of a disturbed node are given: the machine's, and an offset."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_FORMAT: Final = "<q"


class JumpingClock:
    """Nanoseconds since the epoch with an offset that a file has, for all who read it at once."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack(_FORMAT, 0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), struct.calcsize(_FORMAT))

    def jump_to(self, offset_s: float) -> None:
        """Have the clock be so far before or behind the machine's."""
        struct.pack_into(_FORMAT, self._shared, 0, int(offset_s * 1e9))

    def close(self) -> None:
        """Read it no more."""
        self._shared.close()

    def replace(self) -> None:
        """Make it the clock that services of this process and its children are put together on."""
        time_ns: Callable[[], int] = time.time_ns

        def jumping_ns() -> int:
            return time_ns() + int(struct.unpack_from(_FORMAT, self._shared)[0])

        # Services take `time.time_ns` for their clock where they are put together.
        time.time_ns = jumping_ns
