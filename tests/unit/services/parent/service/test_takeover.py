"""What an earlier parent left running."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from services.parent.domain.ending import Ending
from services.parent.ports import Wakeup
from services.parent.service.takeover import Takeover
from shared import errdefs
from shared.node.lock import Holder


@dataclass
class World:
    """Locks, and the processes that have their files open."""

    locks: dict[str, int]
    open_files: dict[int, str]
    immortal: frozenset[int] = frozenset()
    #: Their locks are given up as soon as somebody looks closer.
    fleeting: frozenset[int] = frozenset()
    #: No parent has forked them.
    lone: frozenset[int] = frozenset()
    ended: list[int] = field(default_factory=list)
    watched: list[int] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)

    def holder(self, name: str) -> Holder | None:
        pid = self.locks.get(name)
        if pid is None:
            return None
        return Holder(pid=pid, version="1", started_at_ns=1, is_forked=pid not in self.lone)

    def is_holder(self, name: str, pid: int) -> bool:
        if pid in self.fleeting and pid in self.watched:
            del self.locks[name]
            return False
        return self.open_files.get(pid) == name

    def watch(self, pid: int) -> bool:
        self.watched.append(pid)
        return pid in self.open_files

    def forget(self, pid: int) -> None:
        self.forgotten.append(pid)

    def wait(self, timeout_s: float | None) -> Wakeup:
        raise NotImplementedError

    def end(self, pid: int, grace_s: float) -> Ending | None:
        assert grace_s == 15.0
        if pid in self.immortal:
            return None
        self.ended.append(pid)
        return Ending(pid=pid, wait_status=None)


def _take_over(world: World, *names: str) -> dict[str, int]:
    takeover = Takeover(
        adopts=lambda name: name == "redis", locks=world, processes=world, grace_s=15.0
    )
    return takeover.all(names)


def test_services_are_ended_in_order_and_redis_is_adopted() -> None:
    """Holders are ended in the order of the names, except for those that serve on."""
    world = World({"store": 7, "gateway": 5, "redis": 9}, {7: "store", 5: "gateway", 9: "redis"})

    assert _take_over(world, "gateway", "store", "event", "redis") == {"redis": 9}
    assert world.ended == [5, 7]


def test_nothing_left() -> None:
    """Where no lock is held nothing is ended or adopted."""
    assert _take_over(World({}, {}), "gateway", "redis") == {}


@pytest.mark.parametrize("open_files", [{}, {7: "something else"}])
def test_pid_of_another_namespace(open_files: dict[int, str]) -> None:
    """A lock held out of this host's sight is reported, and whoever has that pid here spared."""
    world = World({"store": 7}, open_files)

    with pytest.raises(errdefs.Conflict, match="none of this host's"):
        _take_over(world, "store")
    assert (world.ended, world.watched) == ([], [])


def test_what_another_supervisor_runs() -> None:
    """A holder that no parent forked is named and left alone."""
    world = World({"store": 7}, {7: "store"}, lone=frozenset({7}))

    with pytest.raises(errdefs.Conflict, match="process 7, which no parent started"):
        _take_over(world, "store")
    assert (world.ended, world.forgotten) == ([], [7])


def test_ends_by_itself() -> None:
    """A holder that ends while it is looked at is not waited for."""
    world = World({"store": 7}, {7: "store"}, fleeting=frozenset({7}))

    assert _take_over(world, "store") == {}
    assert (world.ended, world.forgotten) == ([], [7])


def test_does_not_end() -> None:
    """A holder that outlives SIGKILL stops the start and is named."""
    world = World({"store": 7}, {7: "store"}, immortal=frozenset({7}))

    with pytest.raises(errdefs.Conflict, match="store runs as process 7"):
        _take_over(world, "store")
