"""Starting: a node of a machine that is set up, and the command line."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Sequence

from tests.bench.run import Group, Row, Run
from tests.bench.side import Side
from tests.bench.wherry_node import WHERRY

_START = "start until healthy"
_HELP = "--help of the CLI"
_ROUNDS = 3


def _measure(run: Run) -> None:
    for _, side in run.turns(1 if run.is_quick else _ROUNDS):
        if side.is_ours:
            side.stop()
            with run.record.turn(_START, side) as turn, turn.timed():
                side.start()
    for _, side in run.turns(run.repeat):
        if program := shutil.which(WHERRY if side.name == "wherry" else "docker"):
            _time_help(run, side, [program, "--help"])


def _time_help(run: Run, side: Side, argv: Sequence[str]) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{side.socket}"}
    before, began = _children_s(), time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=environment)
    took_ms = 1000 * (time.perf_counter() - began)
    # It ran outside the side's cgroups.
    run.record.add(_HELP, side, [took_ms], cpu_s=_children_s() - before)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


GROUP = Group(name="start-up", rows=(Row(name=_START), Row(name=_HELP)), measure=_measure)
