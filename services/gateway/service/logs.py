"""A plugin's output, over all its containers: read from the executor, and never kept here."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from services.gateway import ports
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.executor import FollowLog, LogEntry, LogLine

#: Of an answer that is given as a whole.
_WHOLE_LIMIT_BYTES: Final = 4 * 1024 * 1024
_CUT: Final = errdefs.Unavailable(
    "the output is cut here: the executor, or the gateway, ended; ask again with `since`"
)


class PluginLogs:
    """Opens plugins' logs; all raise NotFound, or Unavailable without the executor."""

    def __init__(self, *, replica: Replica, streams: ports.Streams) -> None:
        self._replica = replica
        self._streams = streams
        self._open: set[ports.Stream] = set()

    async def open(
        self,
        name: str,
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """Return the entries as lines of JSON, each a LogEntry.

        Raises Unavailable at the end if that is not the end of the log.
        """
        plugin = (await self._replica.ready()).resolve(name).plugin
        wish = FollowLog(
            log_name=plugin.plugin_id,
            since_ns=since_ns,
            until_ns=until_ns,
            tail=tail,
            follow=follow,
        )
        lines = self._lines(await self._streams.open(wish))
        # Begun at once: who hangs up before the first line leaves a generator that nobody goes
        # on with. The loop closes it, but of one that never began nothing would be closed.
        await anext(lines)
        return lines

    async def last(
        self, name: str, *, since_ns: int | None, until_ns: int | None, tail: int
    ) -> tuple[LogLine, ...]:
        """Return the last lines, fewer if they are very long."""
        entries = await self.open(name, since_ns=since_ns, until_ns=until_ns, tail=tail)
        lines: deque[tuple[LogLine, int]] = deque()
        size = 0
        async with aclosing(entries):
            async for entry in entries:
                line = LogEntry.model_validate_json(entry).line
                if line is not None:
                    lines.append((line, len(entry)))
                    size += len(entry)
                while size > _WHOLE_LIMIT_BYTES:
                    size -= lines.popleft()[1]
        return tuple(line for line, _ in lines)

    async def close(self) -> None:
        """End all that is being read."""
        for stream in tuple(self._open):
            await stream.close()

    async def _lines(self, stream: ports.Stream) -> AsyncGenerator[bytes, None]:
        """Yield nothing first, and then each line."""
        self._open.add(stream)
        try:
            yield b""
            while (line := await stream.read_line()) != b"\n":
                if not line.endswith(b"\n"):
                    raise _CUT
                yield line
        finally:
            self._open.discard(stream)
            await stream.close()
