"""The batches, their plugins and what is fetched for them: read at once, changed by commits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from services.controller.domain import batch
from services.controller.domain.batch import BatchRecord, BeforeRecord, FetchRecord, ItemRecord
from services.controller.domain.row import Entry, Kind, Unit
from services.controller.service.board import Board
from services.controller.service.catalog import Catalog
from shared import errdefs
from shared.contracts.batch import Batch
from shared.contracts.message import Message
from shared.contracts.plugin import Plugin


class Book:
    """What the active controller knows of batches; *load* it when it becomes that."""

    def __init__(self, *, catalog: Catalog, board: Board) -> None:
        self._catalog = catalog
        self._board = board
        self._batches: dict[str, BatchRecord] = {}
        #: By batch, then by number.
        self._items: dict[str, dict[int, ItemRecord]] = {}
        self._fetches: dict[str, dict[int, FetchRecord]] = {}
        self._moved: dict[str, asyncio.Event] = {}

    def load(self) -> None:
        """Read what the catalog has."""
        self._batches, self._items, self._fetches = {}, {}, {}
        for record in self._catalog.all(Kind.BATCH, BatchRecord):
            self._batches[record.batch_id] = record
        for item in self._catalog.all(Kind.BATCH_PLUGIN, ItemRecord):
            self._items.setdefault(item.batch_id, {})[item.planned.number] = item
        for fetch in self._catalog.all(Kind.BATCH_FETCH, FetchRecord):
            self._fetches.setdefault(fetch.batch_id, {})[fetch.number] = fetch

    def all(self) -> tuple[BatchRecord, ...]:
        """Return all batches, oldest first."""
        return tuple(sorted(self._batches.values(), key=lambda one: one.created_at_ns))

    def get(self, batch_id: str) -> BatchRecord | None:
        """Return a batch."""
        return self._batches.get(batch_id)

    def require(self, batch_id: str) -> BatchRecord:
        """Return a batch; raises NotFound."""
        record = self._batches.get(batch_id)
        if record is None:
            raise errdefs.NotFound(
                f"upgrade {batch_id} not found: `wherry upgrade ls` lists those that are kept",
                detail={"upgrade": batch_id},
            )
        return record

    def resolve(self, name: str) -> BatchRecord:
        """Return the batch of an id, or of the beginning of one.

        Raises NotFound, or InvalidArgument where several begin so.
        """
        whole = self._batches.get(name)
        begin_so = [key for key in self._batches if name and key.startswith(name)]
        if whole is not None or not begin_so:
            return self.require(name)
        if len(begin_so) > 1:
            raise errdefs.InvalidArgument(
                f"upgrade {name} is ambiguous: {len(begin_so)} begin so; give more of the id",
                detail={"upgrade": name},
            )
        return self._batches[begin_so[0]]

    def items(self, batch_id: str) -> tuple[ItemRecord, ...]:
        """Return a batch's plugins in the order of their numbers."""
        found = self._items.get(batch_id, {})
        return tuple(found[number] for number in sorted(found))

    def item(self, batch_id: str, number: int) -> ItemRecord:
        """Return a plugin of a batch."""
        return self._items[batch_id][number]

    def before(self, item: ItemRecord) -> Plugin:
        """Return a plugin of a batch as it was planned for."""
        key = batch.item_key(item.batch_id, item.planned.number)
        kept = self._catalog.get(Kind.BATCH_BEFORE, key, BeforeRecord)
        found = kept.plugin if kept else item.before
        assert found is not None  # it is committed with the item, or lies in it
        return found

    def fetches(self, batch_id: str) -> tuple[FetchRecord, ...]:
        """Return what is fetched for a batch."""
        return tuple(self._fetches.get(batch_id, {}).values())

    def fetch(self, batch_id: str, number: int) -> FetchRecord:
        """Return something that is fetched for a batch."""
        return self._fetches[batch_id][number]

    def shown(self, batch_id: str) -> Batch:
        """Return a batch as it is shown; raises NotFound."""
        record = self.require(batch_id)
        return batch.shown(record, self.items(batch_id), self.fetches(batch_id))

    def moved(self, batch_id: str) -> asyncio.Event:
        """Return what is set with the batch's next change."""
        return self._moved.setdefault(batch_id, asyncio.Event())

    async def commit(
        self,
        record: BatchRecord | None = None,
        *,
        items: Iterable[ItemRecord] = (),
        earlier: Iterable[BeforeRecord] = (),
        fetches: Iterable[FetchRecord] = (),
        answers: str | None = None,
        reply: Message | None = None,
    ) -> None:
        """Commit records, then show them."""
        items, fetches = tuple(items), tuple(fetches)
        entries = [
            *(_item(one) for one in items),
            *(_before(one) for one in earlier),
            *(_fetch(one) for one in fetches),
            *([Entry(kind=Kind.BATCH, key=record.batch_id, body=record)] if record else []),
        ]
        await self._catalog.commit(Unit(entries=tuple(entries), answers=answers, reply=reply))
        self._show(record, items, fetches)

    async def drop(self, batch_id: str) -> None:
        """Forget a batch."""
        entries = [
            Entry(kind=Kind.BATCH, key=batch_id, body=None),
            *(
                Entry(kind=kind, key=batch.item_key(batch_id, number), body=None)
                for number in self._items.get(batch_id, {})
                for kind in (Kind.BATCH_PLUGIN, Kind.BATCH_BEFORE)
            ),
            *(
                Entry(kind=Kind.BATCH_FETCH, key=batch.item_key(batch_id, number), body=None)
                for number in self._fetches.get(batch_id, {})
            ),
        ]
        await self._catalog.commit(Unit(entries=tuple(entries)))
        for kept in (self._batches, self._items, self._fetches, self._moved):
            kept.pop(batch_id, None)
        self._board.forget(batch_id)

    def _show(
        self,
        record: BatchRecord | None,
        items: tuple[ItemRecord, ...],
        fetches: tuple[FetchRecord, ...],
    ) -> None:
        for item in items:
            self._items.setdefault(item.batch_id, {})[item.planned.number] = item
            self._board.changed(item.batch_id, item.planned.number)
        for fetch in fetches:
            self._fetches.setdefault(fetch.batch_id, {})[fetch.number] = fetch
        if record is not None:
            self._batches[record.batch_id] = record
        about = {item.batch_id for item in items} | {fetch.batch_id for fetch in fetches}
        about |= {record.batch_id} if record else set()
        for batch_id in about:
            self._board.changed(batch_id)
            moved = self._moved.pop(batch_id, None)
            if moved is not None:
                moved.set()


def _item(item: ItemRecord) -> Entry:
    key = batch.item_key(item.batch_id, item.planned.number)
    return Entry(kind=Kind.BATCH_PLUGIN, key=key, body=item)


def _before(before: BeforeRecord) -> Entry:
    key = batch.item_key(before.batch_id, before.number)
    return Entry(kind=Kind.BATCH_BEFORE, key=key, body=before)


def _fetch(fetch: FetchRecord) -> Entry:
    key = batch.item_key(fetch.batch_id, fetch.number)
    return Entry(kind=Kind.BATCH_FETCH, key=key, body=fetch)
