"""The rows in memory, always as the database last committed them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from services.controller import ports
from services.controller.domain import facts
from services.controller.domain.row import MODELS, Entry, Kind, Unit
from shared.contracts.message import Message, Value
from shared.contracts.node import Row
from shared.contracts.store import Fact

V = TypeVar("V", bound=Value)
R = TypeVar("R", bound=Message)


class Catalog:
    """What the controller keeps: looked up in memory, changed only through a commit."""

    def __init__(
        self, records: ports.Records, *, committed: Callable[[], None], clock: ports.Clock
    ) -> None:
        """Read and write *records*; call *committed* when there is something to publish."""
        self._records = records
        self._committed = committed
        self._clock = clock
        #: By kind, then by key.
        self._bodies: dict[str, dict[str, Value]] = {}
        self._moved = asyncio.Event()

    async def load(self) -> None:
        """Read the database."""
        self._bodies = {}
        self._show(_entries(await self._records.load()))

    def get(self, kind: Kind, key: str, model: type[V]) -> V | None:
        """Return what a row has; None where there is no such row."""
        body = self._bodies.get(kind, {}).get(key)
        return body if isinstance(body, model) else None

    def all(self, kind: Kind, model: type[V]) -> tuple[V, ...]:
        """Return what the rows of a kind have, by key."""
        found = self._bodies.get(kind, {})
        return tuple(body for key in sorted(found) if isinstance(body := found[key], model))

    def keys(self, kind: Kind) -> tuple[str, ...]:
        """Return the keys of a kind's rows."""
        return tuple(sorted(self._bodies.get(kind, {})))

    def next_move(self) -> asyncio.Event:
        """Return what is set by the next change: taken before a look, none after it is missed."""
        return self._moved

    async def page(self, after: tuple[str, str], limit: int) -> tuple[Sequence[Row], bool]:
        """Return rows after one, by kind and key, and whether these are the last."""
        found = await self._records.after(*after, limit=limit + 1)
        return found[:limit], len(found) <= limit

    async def replied(self, message_id: str, model: type[R]) -> R | None:
        """Return what a command was already answered with."""
        reply = await self._records.replied(message_id)
        return None if reply is None else model.model_validate_json(reply)

    async def commit(self, unit: Unit) -> None:
        """Commit a unit, then show it.

        Who is cancelled meanwhile hears of it once the commit is done, and shown: what it then
        finds here is what the database has.
        """
        committing = asyncio.create_task(self._commit(unit))
        try:
            await asyncio.shield(committing)
        except asyncio.CancelledError:
            await asyncio.gather(committing, return_exceptions=True)
            raise

    async def replace(self, rows: Sequence[Row]) -> None:
        """Make another controller's rows all there are; what that changes is told to the feed."""
        entries = _entries(rows)
        await self._records.replace(rows, self._facts([*self._gone(entries), *entries]))
        self._committed()
        self._bodies = {}
        self._show(entries)

    async def apply(self, rows: Sequence[Row], told: Sequence[Fact]) -> None:
        """Take in what another controller has committed, and tell our feed the same."""
        await self._records.apply(rows, told)
        self._committed()
        self._show(_entries(rows))

    async def _commit(self, unit: Unit) -> None:
        await self._records.commit(replace(unit, facts=self._facts(unit.entries)))
        self._committed()
        self._show(unit.entries)

    def _facts(self, entries: Collection[Entry]) -> tuple[Fact, ...]:
        """Return what these rows tell that were others until now.

        A node alone tells nothing of itself: to Docker's clients it is in no swarm.
        """
        now_ns, is_alone = self._clock(), self._is_alone(entries)
        return tuple(
            fact
            for entry in entries
            if not (is_alone and entry.kind is Kind.NODE)
            for fact in facts.facts(self._body(entry), entry.body, now_ns)
        )

    def _is_alone(self, entries: Iterable[Entry]) -> bool:
        coming = {entry.key for entry in entries if entry.kind is Kind.NODE}
        return len(coming.union(self.keys(Kind.NODE))) < 2

    def _gone(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield as gone what we have and these are without."""
        there = {(entry.kind, entry.key) for entry in entries}
        for kind, bodies in self._bodies.items():
            for key in bodies:
                if (kind, key) not in there:
                    yield Entry(kind=Kind(kind), key=key, body=None)

    def _body(self, entry: Entry) -> Value | None:
        return self._bodies.get(entry.kind, {}).get(entry.key)

    def _show(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._keep(entry)
        self._wake()

    def _keep(self, entry: Entry) -> None:
        kept = self._bodies.setdefault(entry.kind, {})
        if entry.body is None:
            kept.pop(entry.key, None)
        else:
            kept[entry.key] = entry.body

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


def _entries(rows: Iterable[Row]) -> list[Entry]:
    """Read rows; those of a newer controller's kinds are nothing to us."""
    return [
        Entry(
            kind=Kind(row.kind),
            key=row.key,
            body=None if row.body is None else MODELS[row.kind].model_validate(row.body),
        )
        for row in rows
        if row.kind in MODELS
    ]
