"""Docker's multiplexed stream: eight bytes of head, then what they announce."""

from __future__ import annotations

import struct

#: Standard output and error.
STDOUT = 1
STDERR = 2


def frame(stream: int, data: bytes) -> bytes:
    """Return a piece of a stream's output behind its head."""
    return struct.pack(">BxxxL", stream, len(data)) + data
