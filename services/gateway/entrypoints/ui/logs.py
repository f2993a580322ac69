"""A plugin's output: its last lines, and those that come."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from services.gateway.entrypoints.http import Request, Stream
from services.gateway.entrypoints.ui import live
from services.gateway.entrypoints.ui.render import render
from services.gateway.service.logs import PluginLogs
from shared import errdefs
from shared.contracts.executor import LogEntry

_TAIL: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOutput:
    """Reads plugins' logs for pages."""

    logs: PluginLogs

    async def last(self, plugin_id: str) -> tuple[str, str]:
        """Return the last entries as HTML, and the position behind them."""
        read = await self.logs.open(plugin_id, tail=_TAIL)
        async with aclosing(read):
            entries = [LogEntry.model_validate_json(line) async for line in read]
        return _html(entries), str(_newest(entries))

    async def follow(self, plugin_id: str, request: Request) -> Stream:
        """Tell entries behind the position that the browser has, over restarts."""
        after = live.cursor(request)
        if not after.isascii() or not after.isdecimal():
            raise errdefs.InvalidArgument(f"{after} is no place in a log: load the page anew")
        read = await self.logs.open(plugin_id, since_ns=int(after) + 1, follow=True)
        return live.stream(live.told(live.gathered(_entries(read, int(after))), _written))


async def _entries(
    read: AsyncGenerator[bytes, None], after_ns: int
) -> AsyncGenerator[LogEntry, None]:
    """Yield entries; of containers that began or ended before, those are known."""
    async with aclosing(read):
        async for line in read:
            entry = LogEntry.model_validate_json(line)
            if _time_ns(entry) > after_ns:
                yield entry


def _written(entries: list[LogEntry]) -> bytes:
    return live.message("last", _html(entries), position=str(_newest(entries)))


def _html(entries: list[LogEntry]) -> str:
    return render("log_lines.html", {"entries": entries})


def _newest(entries: list[LogEntry]) -> int:
    return max(map(_time_ns, entries), default=0)


def _time_ns(entry: LogEntry) -> int:
    if entry.line is not None:
        return entry.line.time_ns
    return entry.exit.exited_at_ns if entry.exit is not None else entry.started_at_ns or 0
