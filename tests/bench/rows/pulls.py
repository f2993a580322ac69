"""Plugins from and to a registry on this machine, which both sides share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench import peak
from tests.bench.contexts import MB
from tests.bench.failure import BenchFailed
from tests.bench.images import Images, Layer
from tests.bench.record import quantile
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side
from tests.support.registry import RegistryServer
from tests.support.registry_content import Content

_INSTALL = "install small"
_UPGRADE = "upgrade small"
_PUSH = "push 1 MB"
_PUSH_KNOWN = "push 1 MB, known blobs"
_NAME = "bench/pulled:latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """A plugin of this size, of small files or of large ones."""

    size_mb: int
    kind: str
    rounds: int
    #: Whether it is big enough to be set beside the floor.
    has_floor: bool = True

    @property
    def row(self) -> str:
        return f"pull {self.size_mb} MB, {self.kind} files"

    @property
    def memory_row(self) -> str:
        return f"peak memory, {self.row}"

    def layer(self, images: Images) -> Layer:
        tag, size = f"{self.kind}-{self.size_mb}", self.size_mb * MB
        contexts = images.contexts
        files = contexts.small_files if self.kind == "small" else contexts.large_files
        return images.layer(tag, files(tag, size))


_PULLS = (
    _Pull(size_mb=5, kind="small", rounds=10, has_floor=False),
    _Pull(size_mb=5, kind="large", rounds=10, has_floor=False),
    _Pull(size_mb=100, kind="small", rounds=5),
    _Pull(size_mb=100, kind="large", rounds=5),
    _Pull(size_mb=500, kind="small", rounds=3),
    _Pull(size_mb=500, kind="large", rounds=3),
)


def _measure(run: Run) -> None:
    if shutil.which("docker-registry") is None:
        raise BenchFailed("docker-registry is not installed: `make bench` installs it, as root")
    with RegistryServer(below=run.folder) as registry:
        repository = Content(authority=registry.authority, path="bench/plugin")
        images = Images(contexts=run.contexts, repository=repository, folder=run.folder)
        _small(run, images)
        _pushes(run, registry.authority)
        for pull in _PULLS:
            _big(run, images, pull)


def _small(run: Run, images: Images) -> None:
    for number in range(run.repeat):
        old, new = (_published_small(images, f"{which}-{number}") for which in ("old", "new"))
        for side in run.sides:
            with side.api() as api:
                with run.record.turn(_INSTALL, side) as turn, turn.timed():
                    api.pull(old, _NAME, api.privileges(old))
                with run.record.turn(_UPGRADE, side) as turn, turn.timed():
                    api.upgrade(_NAME, new, api.privileges(new))
                _remove(side)


def _published_small(images: Images, tag: str) -> str:
    return images.publish(tag, images.layer(tag, [("tag", tag.encode())]))


def _pushes(run: Run, authority: str) -> None:
    for number, side in run.turns(run.repeat):
        # What one side has pushed, the other would find there.
        tag = f"{side.name}-{number:08}"
        name = f"{authority}/bench/pushed:{tag}"
        with side.api() as api:
            api.create(name, run.contexts.one_mb(tag))
            side.settle()
            with run.record.turn(_PUSH, side) as turn, turn.timed():
                api.push(name)
            with run.record.turn(_PUSH_KNOWN, side) as turn, turn.timed():
                api.push(name)
            api.remove(name)
            side.settle()


def _big(run: Run, images: Images, pull: _Pull) -> None:
    layer = pull.layer(images)
    floors: list[float] = []
    for number in range(1 if run.is_quick else pull.rounds):
        # A manifest and a config that nobody has kept.
        remote = images.publish(f"{layer.file.name}-{number}", layer)
        for side in run.sides:
            _pull_once(run, side, pull, remote)
        if pull.has_floor:
            floors.append(_floor_ms(layer.file, run.folder / "unpacked"))
    layer.file.unlink()
    if floors:
        _note_floor(run, pull.row, quantile(floors, 0.5))


def _pull_once(run: Run, side: Side, pull: _Pull, remote: str) -> None:
    with side.api() as api:
        privileges = api.privileges(remote)
        os.sync()  # what the other side left to be written is not written in this one's turn
        side.settle()
        processes = peak.named(side.pids(), side.pullers)
        peak.reset(processes)
        with run.record.turn(pull.row, side) as turn, turn.timed():
            api.pull(remote, _NAME, privileges)
    if processes:
        run.record.add(pull.memory_row, side, [peak.peak_mb(processes)])
    _remove(side)


def _remove(side: Side) -> None:
    """Remove the plugin; with it goes what it alone had of the content store."""
    with side.api() as api:
        api.remove(_NAME)
    side.settle()


def _floor_ms(layer: Path, folder: Path) -> float:
    folder.mkdir()
    argv = [sys.executable, "-m", "tests.bench.floor", str(layer), str(folder)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchFailed(f"the floor was not measured: {done.stderr.strip()}")
    shutil.rmtree(folder)
    return float(done.stdout)


def _note_floor(run: Run, row: str, floor_ms: float) -> None:
    for side in run.sides:
        figures = run.record.figures(row, side.name)
        assert figures is not None
        run.record.note(row, side, f"floor x {figures.p50 / floor_ms:.1f}")


GROUP = Group(
    name="pulls",
    rows=(
        *(Row(name=name) for name in (_INSTALL, _UPGRADE, _PUSH, _PUSH_KNOWN)),
        *(Row(name=pull.row) for pull in _PULLS),
        *(Row(name=pull.memory_row, unit="MB") for pull in _PULLS),
    ),
    measure=_measure,
)
