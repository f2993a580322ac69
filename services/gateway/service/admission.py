"""How many changes are in hand at a time: the others wait, and their clients take turns."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from services.gateway.domain.turns import Client, Turns
from shared import errdefs

#: Of all places, what one client may have: the next of another one finds one free.
_SHARE: Final = 0.75
#: Between these a client is told to come again.
_SOONEST_S: Final = 1
_LATEST_S: Final = 60


class Place:
    """Leave to make one change."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back
        self._is_held = True

    def give_back(self) -> None:
        """Let the next one in; a repeat does nothing."""
        if self._is_held:
            self._is_held = False
            self._give_back()


@dataclass(slots=True, eq=False, kw_only=True)
class _Waiting:
    client: Client
    since_s: float
    place: asyncio.Future[Place] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Admission:
    """Gives out places. While one is free, only those wait whose client has its share."""

    def __init__(
        self,
        *,
        places: int,
        waiting: int,
        clock: Callable[[], float],
        patience_s: float,
    ) -> None:
        """Have *places* changes in hand and *waiting* others wait, each for *patience_s*."""
        self._places = places
        self._share = math.ceil(places * _SHARE)
        self._limit = waiting
        self._clock = clock
        self._patience_s = patience_s
        self._held: Counter[Client] = Counter()
        self._turns: Turns[_Waiting] = Turns()
        #: How long the last one that was called had waited.
        self._last_wait_s = 0.0

    @property
    def in_hand(self) -> int:
        """Return how many changes are being made."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """Return how many wait for their turn."""
        return len(self._turns)

    def take(self, client: Client) -> Place | None:
        """Return a place if there is one for the client at this moment."""
        if not self._may(client):
            return None
        self._held[client] += 1
        return Place(lambda: self._given_back(client))

    async def wait(self, client: Client, gone: asyncio.Future[None]) -> Place | None:
        """Return a place once it is the client's turn; None if *gone* is done before.

        Raises ResourceExhausted for one of too many of its own client, Unavailable where the node
        has too much to do for all of them; both with `retry_after_s`.
        """
        one = _Waiting(client=client, since_s=self._clock())
        self._turns.add(client, one)
        if len(self._turns) > self._limit:
            self._drop()
        is_taken = False
        try:
            either: list[asyncio.Future[Any]] = [one.place, gone]
            await asyncio.wait(
                either, timeout=self._patience_s, return_when=asyncio.FIRST_COMPLETED
            )
            if one.place.done():
                place = one.place.result()
                is_taken = True
                return place
            if gone.done():
                return None
            raise self._overloaded(f"this change waited {self._patience_s:g} s for its turn")
        finally:
            if not is_taken:
                self._leave(one)

    def _leave(self, one: _Waiting) -> None:
        self._turns.discard(one.client, one)
        if one.place.done() and one.place.exception() is None:
            # It was called in the moment in which its client was lost.
            one.place.result().give_back()
        one.place.cancel()

    def _may(self, client: Client) -> bool:
        return self.in_hand < self._places and self._held[client] < self._share

    def _given_back(self, client: Client) -> None:
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._call()

    def _call(self) -> None:
        """Give whoever is next the places that there are."""
        while self.in_hand < self._places and (one := self._turns.take(self._may)) is not None:
            place = self.take(one.client)
            assert place is not None
            self._last_wait_s = self._clock() - one.since_s
            one.place.set_result(place)

    def _drop(self) -> None:
        dropped = self._turns.drop()
        if dropped.of_client > 1:
            error = self._flooded(dropped.waiting.client, dropped.of_client)
        else:
            error = self._overloaded(f"{self._limit} changes wait at this node already")
        dropped.waiting.place.set_exception(error)

    def _flooded(self, client: Client, count: int) -> errdefs.Error:
        wait_s = self._retry_after_s()
        process = f", process {client.pid}," if client.pid else ""
        return errdefs.ResourceExhausted(
            f"{client.name}{process} has {count - 1} changes waiting at this node, which takes no "
            f"more: send this one again in {wait_s} s, and wait for answers before sending others",
            detail={"retry_after_s": wait_s},
        )

    def _overloaded(self, why: str) -> errdefs.Error:
        wait_s = self._retry_after_s()
        return errdefs.Unavailable(
            f"{why}, and {self.in_hand} are in hand: nothing was changed; try again in {wait_s} s, "
            "or see `wherry status` for a service that is slow",
            detail={"retry_after_s": wait_s},
        )

    def _retry_after_s(self) -> int:
        """Return how long those in front take, as far as the last one tells."""
        return min(_LATEST_S, max(_SOONEST_S, math.ceil(self._last_wait_s)))
