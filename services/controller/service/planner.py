"""The plan of a batch: which plugins, from what, to what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from services.controller import ports
from services.controller.domain import plan, selection
from services.controller.domain.batch import BatchRecord, BeforeRecord, FetchRecord, ItemRecord
from services.controller.service.nodes import Nodes
from shared import errdefs
from shared.contracts.batch import ItemState
from shared.contracts.node import Node, NodeState
from shared.contracts.plugin import Plugin
from shared.contracts.pull import DescribePlugin, RemotePlugin
from shared.contracts.store import GetInventory

log = structlog.get_logger()

_INVENTORY_LIMIT_S = 20.0
_DESCRIBE_LIMIT_S = 60.0
#: Questions to nodes at a time.
_AT_ONCE = 16

#: What the target is on a node, or why that is not known.
Found = RemotePlugin | errdefs.Error


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is found out before anything is done."""

    items: tuple[ItemRecord, ...]
    earlier: tuple[BeforeRecord, ...]
    fetches: tuple[FetchRecord, ...]
    warnings: tuple[str, ...]


class Planner:
    """Asks the nodes what they have, and registries, through a node of each, for the targets."""

    def __init__(self, *, fleet: ports.Fleet, nodes: Nodes, clock: ports.Clock) -> None:
        self._fleet = fleet
        self._nodes = nodes
        self._clock = clock

    async def plan(self, batch: BatchRecord) -> Plan:
        """Return a batch's plan; raises NotFound where no plugin is selected."""
        slots = asyncio.Semaphore(_AT_ONCE)
        selector = batch.request.selector
        chosen = [
            node
            for node in self._nodes.all()
            if node.description.runs_plugins
            and selection.fits_node(selector, node.name, node.labels)
        ]
        asked = await asyncio.gather(*(self._inventory(node, slots) for node in chosen))
        answered = [
            (node, said)
            for node, said in zip(chosen, asked, strict=True)
            if not isinstance(said, str)
        ]
        found_on = [(node, selection.selected(selector, said)) for node, said in answered]
        known = {node.name for node in self._nodes.all()}
        warnings = (
            *(said for said in asked if isinstance(said, str)),
            *selection.unmet(selector, known, [said for _, said in answered]),
            *_of_services(found_on),
        )
        planned = list(self._items(batch, found_on))
        if not planned:
            left_out = f" ({'; '.join(warnings)})" if warnings else ""
            raise errdefs.NotFound(f"no plugin is selected on any node{left_out}")
        targets = {(one.planned.node, one.planned.to_reference) for one, _ in planned}
        found = dict(
            await asyncio.gather(*(self._describe(batch, *one, slots) for one in sorted(targets)))
        )
        compared = tuple(self._compared(batch, *one, found) for one in planned)
        return Plan(
            items=compared,
            earlier=tuple(_before(item, plugin) for item, plugin in planned),
            fetches=_fetches(batch, compared),
            warnings=warnings,
        )

    async def _inventory(self, node: Node, slots: asyncio.Semaphore) -> tuple[Plugin, ...] | str:
        if node.state is NodeState.DOWN:
            return f"node {node.name} is down: its plugins are left out"
        async with slots:
            try:
                said = await self._fleet.send(
                    node.name, GetInventory(), timeout_s=_INVENTORY_LIMIT_S
                )
            except errdefs.Error as error:
                return f"node {node.name} is left out: {error.message}"
        return said.plugins

    @staticmethod
    def _items(
        batch: BatchRecord, found_on: Iterable[tuple[Node, tuple[Plugin, ...]]]
    ) -> Iterable[tuple[ItemRecord, Plugin]]:
        number = 0
        for node, found in found_on:
            for plugin in found:
                if plugin.swarm_service_id:
                    continue
                remote = selection.target_of(batch.request.target, plugin)
                yield plan.planned(batch.batch_id, number, node.name, plugin, remote), plugin
                number += 1

    async def _describe(
        self, batch: BatchRecord, node: str, remote: str, slots: asyncio.Semaphore
    ) -> tuple[tuple[str, str], Found]:
        question = DescribePlugin(
            remote=remote, credentials=batch.credentials.get(node), subject=batch.batch_id
        )
        async with slots:
            try:
                found: Found = await self._fleet.send(node, question, timeout_s=_DESCRIBE_LIMIT_S)
            except errdefs.Error as error:
                log.info("target not found", node=node, remote=remote, reason=error.message)
                found = error
        return (node, remote), found

    def _compared(
        self,
        batch: BatchRecord,
        item: ItemRecord,
        before: Plugin,
        found: Mapping[tuple[str, str], Found],
    ) -> ItemRecord:
        said = found[item.planned.node, item.planned.to_reference]
        if isinstance(said, errdefs.Error):
            return plan.unknown(item, said, self._clock())
        return plan.compared(item, before, said, batch.request, self._clock())


def _before(item: ItemRecord, plugin: Plugin) -> BeforeRecord:
    return BeforeRecord(batch_id=item.batch_id, number=item.planned.number, plugin=plugin)


def _of_services(found_on: Iterable[tuple[Node, tuple[Plugin, ...]]]) -> tuple[str, ...]:
    """Return what is said of plugins that a service wishes: it would undo what a batch does."""
    return tuple(
        f"plugin {plugin.name} on {node.name} is left out: it is of service "
        f"{plugin.swarm_service_id}; update that with `wherry service update`"
        for node, found in found_on
        for plugin in found
        if plugin.swarm_service_id
    )


def _fetches(batch: BatchRecord, items: Iterable[ItemRecord]) -> tuple[FetchRecord, ...]:
    """Return what is to be fetched: each version once for each node."""
    wanted = {
        (item.planned.node, item.pinned_digest): item.planned.to_reference
        for item in items
        if item.state is ItemState.PENDING
    }
    return tuple(
        FetchRecord(
            batch_id=batch.batch_id,
            number=number,
            node=node,
            remote=remote,
            pinned_digest=digest,
        )
        for number, ((node, digest), remote) in enumerate(wanted.items())
    )
