"""What a change of a node or a service means for the event feed, in swarm's words."""

from __future__ import annotations

from collections.abc import Mapping

from services.controller.domain.plugin_service import ServiceRecord
from shared.contracts.message import Value
from shared.contracts.node import Node
from shared.contracts.store import Fact
from shared.contracts.swarm import Service

#: What is the same on every node of a fleet; Docker's word.
_SCOPE = "swarm"


def facts(before: Value | None, after: Value | None, now_ns: int) -> tuple[Fact, ...]:
    """Return what a row that was *before* and is *after* tells; None: there is, or was, no row."""
    known = after or before
    if isinstance(known, Node):
        return _of_node(_node(before), _node(after), known, now_ns)
    if isinstance(known, ServiceRecord):
        return _of_service(_service(before), _service(after), known.service, now_ns)
    return ()


def _of_node(before: Node | None, after: Node | None, known: Node, now_ns: int) -> tuple[Fact, ...]:
    if before == after:
        return ()
    attributes = {"name": known.name}
    if before is not None and after is not None:
        pairs = {
            "availability": (before.availability, after.availability),
            "state": (before.state, after.state),
        }
        attributes |= _changed(pairs)
    return (_fact("node", known.node_id, _action(before, after), attributes, now_ns),)


def _of_service(
    before: Service | None, after: Service | None, known: Service, now_ns: int
) -> tuple[Fact, ...]:
    if before == after:
        return ()
    attributes = {"name": known.spec.name}
    if before is not None and after is not None:
        attributes |= _changed({"updatestate": (_update_state(before), _update_state(after))})
    return (_fact("service", known.service_id, _action(before, after), attributes, now_ns),)


def _action(before: Value | None, after: Value | None) -> str:
    if before is None:
        return "create"
    return "remove" if after is None else "update"


def _changed(pairs: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return what has changed, under `.old` and `.new`; nothing is said of what there is not."""
    return {
        f"{name}.{word}": str(value)
        for name, (old, new) in pairs.items()
        if old != new and new
        for word, value in (("old", old), ("new", new))
        if value
    }


def _fact(kind: str, actor_id: str, action: str, attributes: dict[str, str], now_ns: int) -> Fact:
    return Fact(
        type=kind,
        action=action,
        actor_id=actor_id,
        attributes=attributes,
        scope=_SCOPE,
        time_ns=now_ns,
    )


def _update_state(service: Service) -> str:
    return service.update_status.state if service.update_status else ""


def _node(value: Value | None) -> Node | None:
    return value if isinstance(value, Node) else None


def _service(value: Value | None) -> Service | None:
    return value.service if isinstance(value, ServiceRecord) else None
