"""What is shown of batches to those who watch: what changed when, and how far jobs are."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.contracts.batch import Live


@dataclass(slots=True)
class _Watched:
    """One batch: a number for each change, and the last one of each plugin."""

    sequence: int = 0
    #: By number of the plugin; in the order of the changes, oldest first.
    changed: dict[int, int] = field(default_factory=dict)
    live: dict[int, Live] = field(default_factory=dict)
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Board:
    """In memory alone: who watches through another controller begins anew."""

    def __init__(self) -> None:
        self._generation = secrets.token_hex(4)
        self._watched: dict[str, _Watched] = {}

    def changed(self, batch_id: str, number: int | None = None) -> None:
        """Note that a batch, or a plugin of it, has changed."""
        watched = self._watched.setdefault(batch_id, _Watched())
        watched.sequence += 1
        if number is not None:
            watched.changed.pop(number, None)
            watched.changed[number] = watched.sequence
        watched.moved.set()
        watched.moved = asyncio.Event()

    def tell(self, batch_id: str, number: int, live: Live) -> None:
        """Note how far a plugin's job is."""
        watched = self._watched.setdefault(batch_id, _Watched())
        watched.live[number] = live
        self.changed(batch_id, number)

    def hush(self, batch_id: str, number: int) -> None:
        """Forget how far a plugin's job was: it is over."""
        self._watched.setdefault(batch_id, _Watched()).live.pop(number, None)

    def live(self, batch_id: str, number: int) -> Live:
        """Return how far a plugin's job is."""
        watched = self._watched.get(batch_id)
        return (watched.live.get(number) if watched else None) or Live()

    def forget(self, batch_id: str) -> None:
        """Drop a batch."""
        self._watched.pop(batch_id, None)

    async def wait(self, batch_id: str, position: str, wait_s: float) -> None:
        """Wait until something has changed since *position*, no longer than *wait_s*."""
        watched = self._watched.setdefault(batch_id, _Watched())
        if self._sequence(position) != watched.sequence:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await watched.moved.wait()

    def since(
        self, batch_id: str, position: str, numbers: Sequence[int], limit: int
    ) -> tuple[tuple[int, ...], str, bool]:
        """Return what has changed since *position*, the next position, and if there is more.

        *numbers* are all there are: where the position is not one of ours, each counts as changed.
        """
        watched = self._watched.setdefault(batch_id, _Watched())
        after = self._sequence(position)
        for number in numbers:
            watched.changed.setdefault(number, 0)
        later = sorted(
            (sequence, number) for number, sequence in watched.changed.items() if sequence > after
        )
        chosen, has_more = later[:limit], len(later) > limit
        if has_more and chosen[-1][0] == later[limit][0]:
            # Those that nobody has changed have one number: they are told together.
            chosen = [one for one in later if one[0] <= chosen[-1][0]]
            has_more = len(chosen) < len(later)
        reached = chosen[-1][0] if has_more else watched.sequence
        return tuple(number for _, number in chosen), f"{self._generation}-{reached}", has_more

    def _sequence(self, position: str) -> int:
        generation, _, sequence = position.partition("-")
        return int(sequence) if generation == self._generation and sequence.isdigit() else -1
