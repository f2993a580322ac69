"""Run the benchmark: `python -m tests.bench --help`."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from deploy.demo import leftovers
from tests.bench import disk, machine, report
from tests.bench.contexts import Contexts
from tests.bench.failure import BenchFailed
from tests.bench.goals import GOALS
from tests.bench.peer import Dockerd, RunningDocker
from tests.bench.record import Record
from tests.bench.report import Line
from tests.bench.rows import GROUPS
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side
from tests.bench.wherry_node import WherryNode


@click.command()
@click.option("--rows", default="", help="Only rows, or groups, whose name has this in it.")
@click.option("--repeat", default=30, show_default=True, help="Rounds of what is short.")
@click.option("--quick", is_flag=True, help="Fewer rounds: to see that it works.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="bench.json",
    show_default=True,
    help="Where the figures go.",
)
def bench(*, rows: str, repeat: int, quick: bool, json_path: Path) -> None:
    """Measure a Wherry node beside dockerd, turn by turn, in one run.

    PEER_DOCKER_HOST=unix:///path takes a dockerd that runs already instead of starting one; it
    must have no plugins. Its CPU and memory are not measured then.
    """
    if os.geteuid() != 0:
        raise click.ClickException("needs root, because runc and dockerd do: try `sudo make bench`")
    chosen = _choose(rows)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        found = _run(chosen, min(repeat, 5) if quick else repeat, is_quick=quick)
    except BenchFailed as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; everything was cleaned up") from None
    json_path.write_text(json.dumps(found.to_json(), indent=2) + "\n")
    click.echo(f"\n{found}")


class Found:
    """What a run has found."""

    def __init__(self, lines: Sequence[Line], conditions: dict[str, Any]) -> None:
        self.lines = lines
        self.conditions = conditions

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {**self.conditions, "rows": [line.to_json() for line in self.lines]}

    def __str__(self) -> str:
        said = [f"{name}: {_flat(value)}" for name, value in self.conditions.items()]
        return "\n".join([report.table(self.lines), "", *said, "", report.verdict(self.lines)])


def _choose(rows: str) -> list[tuple[Group, tuple[Row, ...]]]:
    found = [
        (group, tuple(row for row in group.rows if rows in row.name or rows in group.name))
        for group in GROUPS
    ]
    chosen = [(group, wanted) for group, wanted in found if wanted]
    if not chosen:
        names = ", ".join(group.name for group in GROUPS)
        raise click.UsageError(f"--rows {rows}: no row has this in its name; groups are {names}")
    return chosen


def _run(chosen: Sequence[tuple[Group, tuple[Row, ...]]], repeat: int, *, is_quick: bool) -> Found:
    record = Record()
    load_before = machine.load()
    with _sides() as (folder, sides):
        contexts = Contexts.built(folder / "c")
        run = Run(
            sides=sides,
            contexts=contexts,
            record=record,
            repeat=repeat,
            is_quick=is_quick,
            folder=folder / "f",
            another_node=functools.partial(_another_node, folder, itertools.count()),
        )
        versions = {side.name: side.versions() for side in sides}
        for group, _ in chosen:
            click.echo(f"measuring {group.name}")
            _measure(group, run)
    conditions = {
        "machine": machine.describe(),
        "load_before": load_before,
        "load_after": machine.load(),
        "data_roots": disk.KIND if all(side.is_ours for side in sides) else f"wherry: {disk.KIND}",
        "versions": versions,
    }
    wanted = [row for _, rows in chosen for row in rows]
    return Found([_line(row, record) for row in wanted], conditions)


def _measure(group: Group, run: Run) -> None:
    try:
        group.measure(run)
    except BenchFailed as error:
        words = "\n".join(side.last_words() for side in run.sides)
        raise BenchFailed(f"{group.name}: {error}\n{words}") from error


@contextlib.contextmanager
def _sides() -> Iterator[tuple[Path, tuple[Side, ...]]]:
    """Give both sides, running, and leave nothing of them however the block ends."""
    # Short: paths of unix sockets end at 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="wb-", dir="/tmp"))
    name = f"bench-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(leftovers.cleared(folder, f"/wherry-{name}"))
        (folder / "c").mkdir()
        stack.enter_context(leftovers.cleared(folder / "c", f"/wherry/{name}"))
        for part in ("w", "p", "f"):
            disk.mount_fresh(folder / part)
        disk.mount_memory(folder / "r")
        sides = (_wherry(folder, name), _peer(folder, name))
        for side in sides:
            stack.callback(side.stop)
            side.start()
        yield folder, sides


def _wherry(folder: Path, name: str) -> Side:
    return WherryNode(
        node=name, data=folder / "w", run=folder / "r" / "w", cgroup=f"/wherry-{name}/wherry"
    )


@contextlib.contextmanager
def _another_node(folder: Path, numbers: Iterator[int], **settings: str) -> Iterator[Side]:
    number = next(numbers)
    name = f"bench-{os.getpid()}-b{number}"
    data, home = folder / "f" / f"b{number}", folder / "r" / f"b{number}"
    data.mkdir()
    home.mkdir()
    cgroup = f"/wherry-bench-{os.getpid()}/another-{number}"
    side = WherryNode(node=name, data=data, run=home / "x", cgroup=cgroup, settings=settings)
    with leftovers.cleared(home, f"/wherry/{name}"):
        try:
            side.start()
            yield side
        finally:
            side.stop()
            shutil.rmtree(data)


def _peer(folder: Path, name: str) -> Side:
    if host := os.environ.get("PEER_DOCKER_HOST"):
        return RunningDocker(host)
    return Dockerd(data=folder / "p", run=folder / "r" / "p", cgroup=f"/wherry-{name}/dockerd")


def _line(row: Row, record: Record) -> Line:
    return Line(
        row=row,
        wherry=record.figures(row.name, "wherry"),
        peer=record.figures(row.name, "dockerd"),
        goals=tuple(goal for goal in GOALS if goal.row == row.name),
    )


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(part)}" for name, part in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    # Half a clean-up is worse than a late end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(bench())
