"""Decisions of the loop, over a world of fakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from services.parent.domain.backoff import Backoff
from services.parent.domain.ending import Ending
from services.parent.domain.head_start import HeadStart
from services.parent.ports import Wakeup
from services.parent.service.supervision import Supervision
from shared import errdefs

_STOP = Wakeup(told_to_stop=True)


@dataclass
class World:
    """Time, processes and units in one; wakeups are taken from a list."""

    wakeups: list[Wakeup] = field(default_factory=list)
    now: float = 1000.0
    #: What happened, in order.
    seen: list[str] = field(default_factory=list)
    waits: list[float | None] = field(default_factory=list)
    outlives: frozenset[int] = frozenset()
    last_pid: int = 0
    #: By unit: what is found before its next starts, one after the other.
    found: dict[str, list[int | errdefs.Error]] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now

    def watch(self, pid: int) -> bool:
        self.seen.append(f"watch {pid}")
        return True

    def forget(self, pid: int) -> None:
        raise NotImplementedError

    def wait(self, timeout_s: float | None) -> Wakeup:
        self.waits.append(timeout_s)
        if timeout_s is not None:
            self.now += timeout_s
        return self.wakeups.pop(0)

    def end(self, pid: int, grace_s: float) -> Ending | None:
        self.seen.append(f"end {pid} within {grace_s}")
        return None if pid in self.outlives else Ending(pid=pid, wait_status=0)

    def take_over(self, name: str) -> int | None:
        found = self.found[name].pop(0) if self.found.get(name) else None
        if isinstance(found, errdefs.Error):
            raise found
        return found


@dataclass
class FakeUnit:
    name: str
    world: World
    #: Starts that fail before one succeeds.
    failing: int = 0

    def start(self, failures: int) -> int:
        if self.failing:
            self.failing -= 1
            raise OSError("no more processes")
        self.world.last_pid += 1
        self.world.seen.append(f"start {self.name}")
        return self.world.last_pid


def _run(
    world: World,
    *units: FakeUnit,
    adopted: Mapping[str, int] | None = None,
    head_start: HeadStart | None = None,
) -> None:
    Supervision(
        units,
        adopted=adopted or {},
        take_over=world.take_over,
        processes=world,
        backoff=Backoff(),
        clock=world.clock,
        grace_s=15.0,
        head_start=head_start,
    ).run()


def _killed(pid: int) -> Wakeup:
    return Wakeup(ended=(Ending(pid=pid, wait_status=9),))


def test_order() -> None:
    """Units are started in their order and ended one by one in the opposite one."""
    world = World([_STOP])

    _run(world, FakeUnit("redis", world), FakeUnit("store", world))

    started = ["start redis", "watch 1", "start store", "watch 2"]
    assert world.seen == [*started, "end 2 within 15.0", "end 1 within 15.0"]


def _starts(world: World) -> list[str]:
    return [one.removeprefix("start ") for one in world.seen if one.startswith("start ")]


def test_the_others_start_when_the_first_ones_do_their_work() -> None:
    """A head start changes the order of starting, and none of stopping."""
    world = World([Wakeup(), Wakeup(), _STOP])
    answers = [False, False, True]
    head_start = HeadStart(names=frozenset({"gateway"}), is_used=lambda: answers.pop(0))

    units = [FakeUnit(name, world) for name in ("event", "store", "gateway")]
    _run(world, *units, head_start=head_start)

    assert _starts(world) == ["gateway", "event", "store"]
    ended = [one for one in world.seen if one.startswith("end ")]
    assert [one.split()[1] for one in ended] == ["1", "3", "2"]
    assert world.waits[-1] is None


def test_a_first_one_that_is_never_ready_does_not_hold_up_the_others() -> None:
    """A head start has an end, and what is over does not come back with a restart."""
    world = World([Wakeup()] * 1000 + [_killed(1), Wakeup(), _STOP])
    head_start = HeadStart(names=frozenset({"gateway"}), is_used=lambda: False)

    _run(world, FakeUnit("event", world), FakeUnit("gateway", world), head_start=head_start)

    assert _starts(world) == ["gateway", "event", "gateway"]


def test_all_well_means_no_wakeup() -> None:
    """While all run, the loop waits without a limit."""
    world = World([_STOP])

    _run(world, FakeUnit("store", world))

    assert world.waits == [None]


def test_adopted_unit_is_not_started() -> None:
    """A unit that was adopted is kept, and ended at the end, without a start."""
    world = World([_STOP])

    _run(world, FakeUnit("redis", world), adopted={"redis": 77})

    assert world.seen == ["end 77 within 15.0"]


def test_ended_unit_comes_back_after_its_pause() -> None:
    """The pause after an end doubles while runs are short."""
    world = World([_killed(1), Wakeup(), _killed(2), Wakeup(), _STOP])

    _run(world, FakeUnit("store", world))

    assert world.waits == [None, pytest.approx(0.1), None, pytest.approx(0.2), None]
    assert [line for line in world.seen if line.startswith("start")] == ["start store"] * 3


def test_wakeup_before_the_pause_is_over() -> None:
    """A unit waits for its time even when another's end wakes the loop early."""
    world = World([_killed(1), _killed(2), Wakeup(), Wakeup(), _STOP])
    _run(world, FakeUnit("event", world), FakeUnit("store", world))

    assert world.seen.count("start event") == world.seen.count("start store") == 2


def test_failed_start_is_tried_again() -> None:
    """A fork that fails is an end like any other."""
    world = World([Wakeup(), Wakeup(), _STOP])

    _run(world, FakeUnit("store", world, failing=2))

    assert world.waits == [pytest.approx(0.1), pytest.approx(0.2), None]
    assert world.seen[0] == "start store"


def test_what_has_its_place_is_tried_again() -> None:
    """A unit that runs elsewhere is no reason to give it up, nor to start a second."""
    world = World(
        [Wakeup(), Wakeup(), _STOP], found={"store": [errdefs.Conflict("it runs elsewhere")] * 2}
    )

    _run(world, FakeUnit("store", world))

    assert world.waits == [pytest.approx(0.1), pytest.approx(0.2), None]
    assert world.seen[:2] == ["start store", "watch 1"]


def test_adopted_later() -> None:
    """What is found running before a restart, and is well, is kept instead of a start."""
    world = World([_killed(77), Wakeup(), _STOP], found={"redis": [78]})

    _run(world, FakeUnit("redis", world), adopted={"redis": 77})

    assert world.seen == ["watch 78", "end 78 within 15.0"]


def test_strangers_end() -> None:
    """The end of a process that is no unit's changes nothing."""
    world = World([_killed(99), _STOP])

    _run(world, FakeUnit("store", world))

    assert world.seen.count("start store") == 1


def test_down_unit_needs_no_end() -> None:
    """Told to stop while a unit is down, the loop starts nothing and ends the others."""
    world = World([Wakeup(told_to_stop=True, ended=(Ending(pid=2, wait_status=9),))])

    _run(world, FakeUnit("event", world), FakeUnit("store", world))

    assert world.seen[-1] == "end 1 within 15.0"
    assert world.seen.count("start store") == 1


def test_immortal_does_not_hold_up_the_others() -> None:
    """A process that outlives SIGKILL does not keep the rest from their end."""
    world = World([_STOP], outlives=frozenset({2}))

    _run(world, FakeUnit("event", world), FakeUnit("store", world))

    assert world.seen[-2:] == ["end 2 within 15.0", "end 1 within 15.0"]
