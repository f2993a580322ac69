"""All processes killed at once but the plugins, and started again."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench import peak
from tests.bench.api import Api
from tests.bench.failure import BenchFailed
from tests.bench.run import Group, Row, Run
from tests.bench.side import START_LIMIT_S, Side

_COUNT = 20
_ROUNDS = 5
_ROW = f"kill -9 with {_COUNT} plugins, until all are shown"
_NAMES = [f"bench/kept-{number}:latest" for number in range(_COUNT)]
#: The program of the plugin that all are made of.
_PLUGIN = "quota-volume"
#: Where it listens, seen from its folder in /proc.
_SOCKET = "root/run/docker/plugins/quota.sock"
_ANSWER_LIMIT_S = 5.0
_CALL = b"POST /Plugin.Activate HTTP/1.1\r\nHost: plugin\r\nContent-Length: 0\r\n\r\n"


def _measure(run: Run) -> None:
    ours = [side for side in run.sides if side.is_ours]
    for side in ours:
        with side.api() as api:
            for name in _NAMES:
                api.create(name, run.contexts.small(name))
                api.enable(name)
        side.settle()
    for _, side in run.turns(1 if run.is_quick else _ROUNDS):
        if side.is_ours:
            _kill_once(run, side)
    for side in ours:
        side.remove_all()


def _kill_once(run: Run, side: Side) -> None:
    before = _plugins(side)
    if len(before) != _COUNT:
        raise BenchFailed(f"{side.name}: {_COUNT} plugins are enabled, but {len(before)} run")
    with _answering([folder / _SOCKET for folder in before]):
        side.kill()
        with run.record.turn(_ROW, side) as turn, ThreadPoolExecutor(1) as starter:
            with turn.timed():
                starting = starter.submit(side.start)
                _wait_until_shown(side)
            starting.result()
    if _plugins(side) != before:
        raise BenchFailed(f"{side.name}: the plugins' processes are not those of before the kill")


def _plugins(side: Side) -> set[Path]:
    """Return the folders in /proc of the plugins' processes."""
    return set(peak.named(side.pids(), [_PLUGIN]))


def _wait_until_shown(side: Side) -> None:
    """Wait until the API lists all as enabled."""
    deadline = time.monotonic() + START_LIMIT_S
    with side.api() as api:
        while not _are_shown(api):
            if time.monotonic() > deadline:
                raise BenchFailed(f"{side.name} does not show its {_COUNT} plugins again")
            time.sleep(0.005)


def _are_shown(api: Api) -> bool:
    try:
        shown = json.loads(api.request("GET", "/plugins"))
    except BenchFailed:
        api.close()  # not there yet
        return False
    return sorted(one["Name"] for one in shown if one["Enabled"]) == sorted(_NAMES)


@contextlib.contextmanager
def _answering(sockets: list[Path]) -> Iterator[None]:
    """See that every plugin answers, one after the other, again and again, until the block ends."""
    over = threading.Event()
    with ThreadPoolExecutor(1) as caller:
        calls = caller.submit(_call_all, sockets, over)
        try:
            yield
        finally:
            over.set()
        calls.result()


def _call_all(sockets: list[Path], over: threading.Event) -> None:
    while not over.wait(0.05):
        for path in sockets:
            _call(path)


def _call(path: Path) -> None:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_LIMIT_S)
            connection.connect(str(path))
            connection.sendall(_CALL)
            answer = connection.recv(1024)
    except OSError as error:
        raise BenchFailed(f"the plugin at {path} did not answer throughout: {error}") from error
    if not answer.startswith(b"HTTP/1.1 200"):
        raise BenchFailed(f"the plugin at {path} answered {answer[:100]!r}")


GROUP = Group(name="recovery", rows=(Row(name=_ROW),), measure=_measure)
