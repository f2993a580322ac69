"""The nodes of a fleet, and the controllers that look after them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from shared.contracts.message import Command, Done, Message, Value


class NodeState(StrEnum):
    """Whether a node is heard of; swarm's words."""

    READY = "ready"
    #: It has been silent for longer than it may.
    DOWN = "down"


class Node(Value):
    """A node as the controller knows it."""

    name: str
    state: NodeState
    #: Of the Wherry that runs there.
    version: str = ""
    #: When it was first heard of.
    joined_at_ns: int
    #: When *state* became what it is.
    state_since_ns: int
    #: Public key of its pull service in base64, to seal registry logins to; empty: none yet.
    seal_key: str = ""


class Heartbeat(Command[Done]):
    """Say that a node is there; its own controller says so, again and again."""

    TYPE: ClassVar[str] = "controller.node.heartbeat.v1"

    node: str
    version: str
    seal_key: str = ""


class Fleet(Message):
    """All nodes, and whose controller is active."""

    TYPE: ClassVar[str] = "controller.node.listed.v1"

    active: str
    #: By name.
    nodes: tuple[Node, ...]


class ListNodes(Command[Fleet]):
    """Ask for all nodes."""

    TYPE: ClassVar[str] = "controller.node.list.v1"


class Row(Value):
    """Something that the controller keeps, as its database has it."""

    kind: str
    key: str
    #: None: it is gone.
    body: dict[str, Any] | None


class RowsChanged(Message):
    """One revision of controller.db: the rows that it changed."""

    TYPE: ClassVar[str] = "controller.row.changed.v1"

    epoch: str
    revision: int
    rows: tuple[Row, ...]


class Rows(Message):
    """Some rows, by kind and key; *is_last* with the last of all."""

    TYPE: ClassVar[str] = "controller.row.listed.v1"

    rows: tuple[Row, ...]
    is_last: bool


class ListRows(Command[Rows]):
    """Ask the active controller for its rows after one, for a controller that stands by."""

    TYPE: ClassVar[str] = "controller.row.list.v1"

    after_kind: str = ""
    after_key: str = ""
    limit: int = 500
