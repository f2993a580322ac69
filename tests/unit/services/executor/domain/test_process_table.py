"""The output of ps."""

from __future__ import annotations

import pytest

from services.executor.domain import process_table
from shared import errdefs

_OUTPUT = """UID   PID  PPID CMD
root    1     0 /sbin/init --x  y
root   22     1 sleep 5
root  222     1 other
"""


def test_rows_of_the_container() -> None:
    """Only processes of the container are shown; the last column keeps its blanks."""
    table = process_table.parse(_OUTPUT, {1, 22})
    assert table.titles == ("UID", "PID", "PPID", "CMD")
    assert table.processes == (
        ("root", "1", "0", "/sbin/init --x  y"),
        ("root", "22", "1", "sleep 5"),
    )


@pytest.mark.parametrize("output", ["", "CMD\nsleep"])
def test_no_pids(output: str) -> None:
    """Without their pids the processes can't be found."""
    with pytest.raises(errdefs.InvalidArgument, match="no column PID"):
        process_table.parse(output, {1})


@pytest.mark.parametrize("args", ["-o comm=PID", "-e -o  user=PID,pid"])
def test_another_column_is_called_pid(args: str) -> None:
    """A column that only pretends to be the pid is refused."""
    with pytest.raises(errdefs.InvalidArgument, match="is not allowed"):
        process_table.check_args(args)


@pytest.mark.parametrize("args", ["-ef", "-o pid=PID", "-o pid,comm=CMD", ""])
def test_fine_arguments(args: str) -> None:
    """Others are fine."""
    process_table.check_args(args)
