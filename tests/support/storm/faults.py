"""What befalls a node in a storm: one thing at a time, each ended before the next."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.demo import processes
from deploy.demo.processes import Process
from tests.support.node import PROCESSES, SERVICES, is_running
from tests.support.storm.disk import FaultyDisk
from tests.support.storm.node import DisturbedNode
from tests.support.storm.proxy import Proxy

#: How long a fault that lasts may last.
_SHORT_S: Final = (0.2, 2.5)
#: Longer than any deadline of a verb, shorter than the leases that clients take.
_JUMPS_S: Final = (-600.0, -3.0, 3.0, 600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What faults are done to."""

    node: DisturbedNode
    #: Before the node's socket, and before the registry.
    front: Proxy
    registry: Proxy
    disk: FaultyDisk
    random: random.Random
    #: Pids of plugins that were killed: only these may have died.
    killed: list[int]

    def lasts(self) -> None:
        """Let some time pass."""
        time.sleep(self.random.uniform(*_SHORT_S))


Fault = Callable[[Scene], None]


def kill_a_service(scene: Scene) -> None:
    """Kill -9 of a service."""
    scene.node.kill(scene.random.choice(SERVICES))


def kill_several(scene: Scene) -> None:
    """Kill -9 of some services at once, and of Redis."""
    names = [name for name in PROCESSES if name != "parent"]
    scene.node.kill(*scene.random.sample(names, 3))


def kill_all(scene: Scene) -> None:
    """Kill -9 of everything but plugins and their supervisors; the operator starts it again."""
    scene.node.kill(*PROCESSES)
    scene.node.up()


def kill_the_parent(scene: Scene) -> None:
    """Kill -9 of the parent: the services go on; the operator starts another."""
    scene.node.kill("parent")
    scene.lasts()
    scene.node.up()


def stop_a_process(scene: Scene) -> None:
    """SIGSTOP of a service, Redis or the parent, and later SIGCONT."""
    with _stopped(scene.node.pid(scene.random.choice(PROCESSES))):
        scene.lasts()


def stop_a_supervisor(scene: Scene) -> None:
    """SIGSTOP of a conmon, and later SIGCONT."""
    with _stopped(_a_conmon(scene)):
        scene.lasts()


def kill_a_supervisor(scene: Scene) -> None:
    """Kill -9 of a conmon: its plugin goes on without."""
    _kill(_a_conmon(scene))


def kill_a_plugin(scene: Scene) -> None:
    """Kill -9 of a plugin's process: it is started again."""
    listed = scene.node.get("/wherry/v1/plugins")["plugins"]
    pids = [one["status"]["pid"] for one in listed if one["status"]["pid"]]
    if pids:
        scene.killed.append(pid := scene.random.choice(pids))
        _kill(pid)


def kill_redis(scene: Scene) -> None:
    """Kill -9 of Redis, which loses nothing, or the last of what it wrote."""
    with _stopped(scene.node.pid("parent")):
        scene.node.kill("redis")
        if scene.random.random() < 0.5:
            for log in (scene.node.root / "redis").rglob("*.incr.aof"):
                size = log.stat().st_size
                os.truncate(log, max(0, size - scene.random.randrange(20_000)))


def flush_redis(scene: Scene) -> None:
    """FLUSHALL."""
    scene.node.redis("FLUSHALL")


def starve_redis(scene: Scene) -> None:
    """Give Redis no memory: it refuses writes, or evicts what it has."""
    policy = scene.random.choice(("noeviction", "allkeys-random"))
    scene.node.redis("CONFIG", "SET", "maxmemory-policy", policy)
    scene.node.redis("CONFIG", "SET", "maxmemory", "1")
    try:
        scene.lasts()
    finally:
        scene.node.redis("CONFIG", "SET", "maxmemory", "0")
        scene.node.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")


def stall_redis(scene: Scene) -> None:
    """Have Redis do nothing for a while."""
    scene.node.redis("CLIENT", "PAUSE", str(int(scene.random.uniform(*_SHORT_S) * 1000)), "ALL")
    scene.lasts()


def reset_the_bus(scene: Scene) -> None:
    """Close all connections to Redis, again and again."""
    for _ in range(5):
        scene.node.redis("CLIENT", "KILL", "TYPE", "normal")
        time.sleep(0.05)


def reset_clients(scene: Scene) -> None:
    """Reset the connections of all clients."""
    for _ in range(5):
        scene.front.reset_all()
        time.sleep(0.05)


def stall_clients(scene: Scene) -> None:
    """Let nothing pass between clients and the node for a while."""
    scene.front.is_stalled = True
    try:
        scene.lasts()
    finally:
        scene.front.heal()


def break_the_registry(scene: Scene) -> None:
    """Reset connections to the registry, cut them after some bytes, or stall them."""
    kind = scene.random.choice(("reset", "cut", "stall"))
    if kind == "cut":
        scene.registry.cut_after_bytes = scene.random.randrange(1, 100_000)
    scene.registry.is_stalled = kind == "stall"
    scene.registry.reset_all()
    try:
        scene.lasts()
    finally:
        scene.registry.heal()
        scene.registry.reset_all()


def fill_the_disk(scene: Scene) -> None:
    """Take all the room of the data root."""
    scene.node.disk.fill()
    try:
        scene.lasts()
    finally:
        scene.node.disk.clear()


def use_up_inodes(scene: Scene) -> None:
    """Take all inodes of the data root."""
    folder = scene.node.root / "filler.d"
    folder.mkdir(exist_ok=True)
    try:
        with contextlib.suppress(OSError):
            for number in range(1_000_000):
                (folder / str(number)).touch()
        scene.lasts()
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def fail_the_databases(scene: Scene) -> None:
    """Have reads, writes or syncs of the databases fail, as those of a read-only disk do."""
    how = scene.random.choice(("EIO", "EROFS", "ENOSPC"))
    with scene.disk.failing(how, share=scene.random.choice((0.2, 1.0))):
        scene.lasts()


def slow_the_databases(scene: Scene) -> None:
    """Have each sync of the databases take long."""
    with scene.disk.slow(scene.random.uniform(0.05, 0.4)):
        scene.lasts()


def jump_the_clock(scene: Scene) -> None:
    """Have the services' clock jump, and later jump back."""
    scene.node.clock.jump_to(scene.random.choice(_JUMPS_S))
    try:
        scene.lasts()
    finally:
        scene.node.clock.jump_to(0)


ALL: Final[tuple[Fault, ...]] = (
    kill_a_service,
    kill_a_service,
    kill_a_service,
    kill_several,
    kill_all,
    kill_the_parent,
    stop_a_process,
    stop_a_process,
    stop_a_supervisor,
    kill_a_supervisor,
    kill_a_plugin,
    kill_redis,
    flush_redis,
    starve_redis,
    stall_redis,
    reset_the_bus,
    reset_clients,
    stall_clients,
    break_the_registry,
    fill_the_disk,
    use_up_inodes,
    fail_the_databases,
    slow_the_databases,
    jump_the_clock,
)


@contextmanager
def _stopped(pid: int | None) -> Iterator[None]:
    if pid is None:
        yield
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _kill(pid: int | None) -> None:
    if pid is not None:
        processes.kill([Process(pid=pid, title="")])


def _a_conmon(scene: Scene) -> int | None:
    """Return the pid of a container's supervisor; containers come and go meanwhile."""
    files = list((scene.node.exec_root / "c").glob("*/conmon.pid"))
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int(scene.random.choice(files).read_text())
        if is_running(pid) and Path(f"/proc/{pid}/comm").read_text().strip() == "conmon":
            return pid
    return None
