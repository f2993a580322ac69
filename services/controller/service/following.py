"""A controller that stands by copies what the active one commits."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

import structlog

from services.controller import ports
from services.controller.service.catalog import Catalog
from shared.bus.ports import Delivery
from shared.contracts.node import ListRows, Row, Rows, RowsChanged
from shared.tasks.background import Tasks, until_done

log = structlog.get_logger()

_ANSWER_LIMIT_S = 10.0
_TASK = "follow"


class Following:
    """Reads all rows of the active controller, then its changes; and hands out ours."""

    def __init__(self, *, catalog: Catalog, fleet: ports.Fleet) -> None:
        self._catalog = catalog
        self._fleet = fleet
        self._tasks = Tasks()
        #: Whose rows we have, or are about to.
        self._leader = ""
        self._is_whole = False

    @property
    def has_copy(self) -> bool:
        """Tell whether our rows are the fleet's newest, as far as we know."""
        return self._is_whole or not self._leader

    async def follow(self, node: str) -> None:
        """Copy from the controller of *node* from now on; a repeat changes nothing."""
        if self._leader == node:
            return
        await self.stop()
        self._leader, self._is_whole = node, False
        self._tasks.ensure(_TASK, self._run(node))

    async def stop(self) -> None:
        """Copy no more."""
        await self._tasks.cancel(_TASK)
        self._leader = ""

    async def list(self, command: ListRows, _delivery: Delivery) -> Rows:
        """Return some of our rows."""
        after = (command.after_kind, command.after_key)
        rows, is_last = await self._catalog.page(after, command.limit)
        return Rows(rows=tuple(rows), is_last=is_last)

    async def _run(self, node: str) -> None:
        async with aclosing(self._fleet.changes(node)) as changes:
            async for change in changes:
                if isinstance(change, RowsChanged):
                    await until_done(partial(self._catalog.apply, change.rows, change.facts))
                else:
                    self._is_whole = False
                    await until_done(partial(self._copy, node))
                    self._is_whole = True

    async def _copy(self, node: str) -> None:
        """Read all rows; what changes meanwhile comes with the changes that follow."""
        found: list[Row] = []
        is_last = False
        while not is_last:
            kind, key = (found[-1].kind, found[-1].key) if found else ("", "")
            page = await self._fleet.send(
                node, ListRows(after_kind=kind, after_key=key), timeout_s=_ANSWER_LIMIT_S
            )
            found += page.rows
            is_last = page.is_last
        await self._catalog.replace(found)
        log.info("rows copied", active=node, count=len(found))
