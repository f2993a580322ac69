"""The output of `ps`, of which only a container's processes are shown; as `docker top` does it."""

from __future__ import annotations

import re
from collections.abc import Collection

from shared import errdefs
from shared.contracts.executor import ProcessTable

#: A column that is given the heading PID.
_HEADED_PID = re.compile(r"\s([^\s]*)=\s*(PID[^\s]*)", re.ASCII)


def check_args(args: str) -> None:
    """Refuse arguments that call another column PID; raises InvalidArgument in dockerd's words."""
    for column, heading in _HEADED_PID.findall(args):
        if column != "pid":
            raise errdefs.InvalidArgument(f'specifying "{column}={heading}" is not allowed')


def parse(output: str, pids: Collection[int]) -> ProcessTable:
    """Return the rows of *pids*; raises InvalidArgument where there is no column PID."""
    heading, *lines = output.splitlines() or [""]
    titles = tuple(heading.split())
    if "PID" not in titles:
        raise errdefs.InvalidArgument(
            "ps shows no column PID, by which the plugin's processes are found; ask for it, too"
        )
    at = titles.index("PID")
    rows = []
    for line in lines:
        # The last column may hold blanks.
        cells = tuple(line.split(None, len(titles) - 1))
        if len(cells) > at and cells[at].isdecimal() and int(cells[at]) in pids:
            rows.append(cells)
    return ProcessTable(titles=titles, processes=tuple(rows))
