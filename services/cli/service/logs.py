"""A plugin's output, followed also while the node's services are restarted."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.cli.domain import moment
from services.cli.domain.log import LogEntry, LogWish
from services.cli.ports import Api
from shared import errdefs

#: A node that is being restarted is waited for this long.
_PATIENCE_S = 30.0
_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRun:
    """Reads one plugin's output."""

    api: Api
    warn: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def run(self, name: str, wish: LogWish) -> Iterator[LogEntry]:
        """Yield the entries; who follows is given what comes after a gateway that went away.

        Raises what the node answers, Unavailable when it stays away.
        """
        last_ns: int | None = None
        deadline: float | None = None
        while True:
            try:
                for entry in self.api.logs(name, wish):
                    deadline, last_ns = None, entry.time_ns or last_ns
                    yield entry
            except errdefs.Unavailable as error:
                if not wish.follow:
                    raise
                deadline = self._patience(deadline, error)
                if last_ns is not None:
                    since = moment.seconds(last_ns + 1)
                    wish = dataclasses.replace(wish, since=since, tail="all")
            else:
                return

    def _patience(self, deadline: float | None, error: errdefs.Error) -> float:
        if deadline is None:
            self.warn("the node is away, waiting for it; its plugins go on")
            deadline = self.clock() + _PATIENCE_S
        elif self.clock() > deadline:
            raise error
        self.pause(_PAUSE_S)
        return deadline
