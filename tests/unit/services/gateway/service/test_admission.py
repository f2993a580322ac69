"""Places for changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.gateway.domain.turns import Client
from services.gateway.service.admission import Admission, Place
from shared import errdefs

_FLOOD, _HONEST = Client(name="socket uid 1000", pid=7), Client(name="socket uid 0", pid=8)


@dataclass
class World:
    """An admission of four places and three that may wait, and who came to it."""

    now_s: float = 0.0
    patience_s: float = 60.0
    places: int = 4
    called: list[Client] = field(default_factory=list)
    coming: list[asyncio.Task[Place | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admission = Admission(
            places=self.places,
            waiting=3,
            clock=lambda: self.now_s,
            patience_s=self.patience_s,
        )

    def take(self, client: Client, count: int) -> list[Place]:
        """Have a client take places that are free."""
        places = [self.admission.take(client) for _ in range(count)]
        assert None not in places
        return [place for place in places if place is not None]

    async def come(
        self, client: Client, gone: asyncio.Future[None] | None = None
    ) -> asyncio.Task[Place | None]:
        """Have a client wait for a place."""
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def wait() -> Place | None:
            place = await self.admission.wait(client, gone or never)
            self.called.append(client)
            return place

        task = asyncio.create_task(wait())
        self.coming.append(task)
        await _settled()
        return task


Start = Callable[..., World]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Make worlds; who still waits at the end is sent home."""
    worlds: list[World] = []

    def make(**settings: Any) -> World:
        worlds.append(World(**settings))
        return worlds[-1]

    yield make
    coming = [task for world in worlds for task in world.coming]
    for task in coming:
        task.cancel()
    await asyncio.gather(*coming, return_exceptions=True)


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_next_one_is_called_when_a_place_is_given_back(start: Start) -> None:
    """Once for each place, however often that is said."""
    world = start()
    first, *_ = [*world.take(_FLOOD, 3), *world.take(_HONEST, 1)]
    waiting = [await world.come(_HONEST), await world.come(_HONEST)]

    first.give_back()
    first.give_back()
    await _settled()

    assert [one.done() for one in waiting] == [True, False]
    assert (world.admission.in_hand, world.admission.waiting) == (4, 1)


async def test_one_client_leaves_room_for_the_others(start: Start) -> None:
    """With three of four places it has its share, and what it sends besides waits."""
    world = start()
    world.take(_FLOOD, 3)

    assert world.admission.take(_FLOOD) is None
    waiting = await world.come(_FLOOD)
    assert not waiting.done()
    assert world.admission.take(_HONEST) is not None


async def test_a_client_beside_a_flood_is_next(start: Start) -> None:
    """It waits for one place to be free, not for all that came before it."""
    world = start()
    first, *_ = world.take(_FLOOD, 3)
    world.take(_HONEST, 1)
    for client in (_FLOOD, _FLOOD, _HONEST):
        await world.come(client)

    first.give_back()
    await _settled()
    second = world.coming[0].result()
    assert second is not None
    second.give_back()
    await _settled()

    assert world.called == [_FLOOD, _HONEST]


async def test_who_floods_is_refused_and_told_when_to_return(start: Start) -> None:
    """The answer says who has how many waiting; the others wait on."""
    world = start()
    first, *_ = world.take(_FLOOD, 3)
    world.take(_HONEST, 1)
    for _ in range(3):
        await world.come(_FLOOD)
    world.now_s = 7.5
    first.give_back()
    await world.come(_FLOOD)

    honest = await world.come(_HONEST)
    await _settled()

    with pytest.raises(errdefs.ResourceExhausted, match="uid 1000, process 7, has 2 changes") as e:
        await world.coming[3]
    assert e.value.detail == {"retry_after_s": 8}
    assert not honest.done()
    assert world.admission.waiting == 3


async def test_too_many_clients_are_the_nodes_fault(start: Start) -> None:
    """Nobody of them has sent too much: the node is overloaded, and says so."""
    world = start()
    world.take(_FLOOD, 3)
    world.take(_HONEST, 1)
    for pid in range(1, 4):
        await world.come(Client(name="token ci", pid=pid))

    late = await world.come(Client(name="token dashboard"))

    with pytest.raises(errdefs.Unavailable, match="3 changes wait at this node already, and 4"):
        await world.coming[2]
    assert not late.done()


async def test_who_has_left_is_not_called(start: Start) -> None:
    """The place goes to the next one, and no place is lost."""
    world = start()
    first, *_ = [*world.take(_FLOOD, 3), *world.take(_HONEST, 1)]
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left, cancelled, stays = (
        await world.come(_HONEST, gone),
        await world.come(_HONEST),
        await world.come(_HONEST),
    )
    gone.set_result(None)
    cancelled.cancel()
    await _settled()

    first.give_back()
    await _settled()

    assert left.result() is None
    assert cancelled.cancelled()
    assert stays.result() is not None
    assert (world.admission.in_hand, world.admission.waiting) == (4, 0)


async def test_a_place_of_who_is_lost_as_it_is_called_goes_on(start: Start) -> None:
    """Called and cut off in the same moment: the next one has the place."""
    world = start()
    first, *_ = [*world.take(_FLOOD, 3), *world.take(_HONEST, 1)]
    lost, next_one = await world.come(_HONEST), await world.come(_HONEST)

    first.give_back()
    lost.cancel()
    await _settled()

    assert lost.cancelled()
    assert next_one.result() is not None
    assert world.admission.in_hand == 4


async def test_nobody_waits_for_ever(start: Start) -> None:
    """After its time one is told that the node is too slow, and is no longer in the queue."""
    world = start(patience_s=0.01)
    world.take(_FLOOD, 3)
    world.take(_HONEST, 1)

    waiting = await world.come(_HONEST)

    with pytest.raises(errdefs.Unavailable, match=r"waited 0\.01 s"):
        await waiting
    assert world.admission.waiting == 0


@pytest.mark.parametrize(("places", "share"), [(1, 1), (2, 2), (4, 3), (256, 192)])
async def test_the_share_of_one_client(start: Start, places: int, share: int) -> None:
    """Three quarters, and at least one."""
    world = start(places=places)

    taken = 0
    while world.admission.take(_FLOOD) is not None:
        taken += 1

    assert taken == share
