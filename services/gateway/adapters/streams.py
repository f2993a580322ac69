"""ports.Streams: the executor's, at its socket in the exec root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.contracts.message import StreamRequest
from shared.streams import Duplex, open_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorStreams:
    """Opens streams at the executor of the node."""

    socket: Path

    async def open(self, request: StreamRequest) -> Duplex:
        """Open a stream; raises what the executor answers, Unavailable without one."""
        return await open_stream(self.socket, request)
