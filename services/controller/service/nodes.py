"""The nodes of the fleet: heard of, or down."""

from __future__ import annotations

import asyncio

import structlog

from services.controller import ports
from services.controller.domain.row import Entry, Kind, Unit
from services.controller.service.catalog import Catalog
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.message import Done
from shared.contracts.node import (
    Availability,
    Fleet,
    Heartbeat,
    ListNodes,
    Node,
    NodeState,
    RemoveNode,
    UpdateNode,
)
from shared.contracts.swarm import GRPC_CODE

log = structlog.get_logger()

#: Of the time that a node may be silent, how often it is looked whether one is.
_LOOKS = 3


class Nodes:
    """Takes in heartbeats; only what changes is committed."""

    def __init__(
        self, *, catalog: Catalog, clock: ports.Clock, node: str, timeout_s: float
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._node = node
        self._timeout_s = timeout_s
        #: When each was last heard of, by name.
        self._heard_ns: dict[str, int] = {}
        #: Held from the look at a record until its change is committed.
        self._turns = asyncio.Lock()

    async def heard(self, command: Heartbeat, _delivery: Delivery) -> Done:
        """Note that a node is there."""
        now_ns = self._clock()
        self._heard_ns[command.node] = now_ns
        async with self._turns:
            known = self.get(command.node)
            node = _heard(known, command, now_ns)
            if node != known:
                await self._commit(node)
        return Done()

    async def list(self, _command: ListNodes, _delivery: Delivery) -> Fleet:
        """Return all nodes."""
        return Fleet(active=self._node, nodes=self.all())

    async def update(self, command: UpdateNode, delivery: Delivery) -> Fleet:
        """Set what people set of a node; a redelivery is given the same answer."""
        async with self._turns:
            if (given := await self._catalog.replied(delivery.message_id, Fleet)) is not None:
                return given
            node = _updated(self.require(command.name), command)
            reply = Fleet(active=self._node, nodes=(node,))
            await self._commit(node, answers=delivery.message_id, reply=reply)
        return reply

    async def remove(self, command: RemoveNode, _delivery: Delivery) -> Done:
        """Forget a node; one that is heard of again is new."""
        async with self._turns:
            await self._remove(command)
        return Done()

    async def _remove(self, command: RemoveNode) -> None:
        known = self._catalog.get(Kind.NODE, command.name, Node)
        if known is None:
            return
        if known.state is not NodeState.DOWN and not command.force:
            raise errdefs.Conflict(
                f"node {known.node_id} is not down and can't be removed",
                detail={GRPC_CODE: "FailedPrecondition"},
            )
        if known.name == self._node:
            raise errdefs.Conflict(
                f"node {known.node_id} has the active controller and can't be removed: stop it, "
                "and another node's takes over"
            )
        self._heard_ns.pop(known.name, None)
        log.info("node removed", node=known.name)
        entry = Entry(kind=Kind.NODE, key=known.name, body=None)
        await self._catalog.commit(Unit(entries=(entry,)))

    def require(self, name: str) -> Node:
        """Return a node; raises NotFound."""
        node = self.get(name)
        if node is None:
            raise errdefs.NotFound(f"node {name} not found", detail={"node": name})
        return node

    def all(self) -> tuple[Node, ...]:
        """Return all nodes, by name."""
        return self._catalog.all(Kind.NODE, Node)

    def get(self, name: str) -> Node | None:
        """Return a node."""
        return self._catalog.get(Kind.NODE, name, Node)

    def begin(self) -> None:
        """Give each node its whole time from now on: who was active before us heard them."""
        now_ns = self._clock()
        self._heard_ns = {node.name: now_ns for node in self.all()}

    async def run(self) -> None:
        """Look who is silent until cancelled."""
        while True:
            await asyncio.sleep(self._timeout_s / _LOOKS)
            try:
                await self.look()
            except errdefs.Error as error:
                log.warning("nodes not looked after", reason=error.message)

    async def look(self) -> None:
        """Note which nodes have been silent for too long."""
        now_ns = self._clock()
        async with self._turns:
            for node in self.all():
                # One that was removed when it was heard has its time from now on.
                silent_ns = now_ns - self._heard_ns.setdefault(node.name, now_ns)
                if node.state is NodeState.READY and silent_ns > self._timeout_s * 1e9:
                    down = {"state": NodeState.DOWN, "state_since_ns": now_ns}
                    await self._commit(node.model_copy(update=down))

    async def _commit(
        self, node: Node, *, answers: str | None = None, reply: Fleet | None = None
    ) -> None:
        log.info("node", node=node.name, state=node.state, availability=node.availability)
        entry = Entry(kind=Kind.NODE, key=node.name, body=node)
        await self._catalog.commit(Unit(entries=(entry,), answers=answers, reply=reply))


def _updated(known: Node, command: UpdateNode) -> Node:
    """Return a node with what people set of it; raises Conflict when they saw an older one."""
    if known.revision != command.revision:
        raise errdefs.Conflict(
            f"update out of sequence: node {known.name} is at version {known.revision}, not "
            f"at {command.revision}: look at it again, then update what you see",
            detail={GRPC_CODE: "Unknown"},
        )
    node = known.model_copy(
        update={
            "labels": command.labels,
            "availability": command.availability,
            "revision": known.revision + 1,
        }
    )
    _require_possible(node)
    return node


def _require_possible(node: Node) -> None:
    """Raise Conflict where plugins are wished on a node that can't have any."""
    if not node.description.runs_plugins and node.availability is not Availability.DRAIN:
        raise errdefs.Conflict(
            f"node {node.name} has a controller and no other service: nothing can run there, so "
            "its availability stays drain",
            detail={GRPC_CODE: "FailedPrecondition"},
        )


def _availability(known: Availability, said: Heartbeat) -> Availability:
    return known if said.description.runs_plugins else Availability.DRAIN


def _heard(known: Node | None, said: Heartbeat, now_ns: int) -> Node:
    fresh = Node(
        name=said.node,
        state=NodeState.READY,
        version=said.version,
        joined_at_ns=now_ns,
        state_since_ns=now_ns,
        seal_key=said.seal_key,
        description=said.description,
        availability=_availability(Availability.ACTIVE, said),
    )
    if known is None:
        return fresh
    is_back = known.state is NodeState.DOWN
    return known.model_copy(
        update={
            "state": NodeState.READY,
            "state_since_ns": now_ns if is_back else known.state_since_ns,
            "version": said.version,
            "seal_key": said.seal_key or known.seal_key,
            "description": said.description,
            "availability": _availability(known.availability, said),
        }
    )
