"""The nodes of a fleet, and the controllers that look after them."""

import hashlib
import secrets
from enum import StrEnum
from typing import Any, ClassVar, Final

from pydantic import Field

from shared.contracts.message import Command, Done, Message, Value
from shared.contracts.store import Fact

#: As long as swarm's ids, and of the same characters.
_ID_LENGTH: Final = 25
_ID_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class NodeState(StrEnum):
    """Whether a node is heard of; swarm's words."""

    READY = "ready"
    #: It has been silent for longer than it may.
    DOWN = "down"


class Availability(StrEnum):
    """What a person lets the controller do on a node; swarm's words."""

    ACTIVE = "active"
    #: What is there of services stays as it is.
    PAUSE = "pause"
    #: Nothing of a service is to be there.
    DRAIN = "drain"


class NodeDescription(Value):
    """What a node says of itself."""

    os: str = "linux"
    architecture: str = ""
    cpus: int = 0
    memory_bytes: int = 0
    #: Of its engine, as WHERRY_LABELS has them.
    labels: dict[str, str] = Field(default_factory=dict)
    #: The address at which the others of a fleet see it; empty: it shares no network with them.
    address: str = ""
    #: Whether it has a store and plugins, not a controller alone.
    runs_plugins: bool = True


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
    description: NodeDescription = NodeDescription()
    #: What people set.
    labels: dict[str, str] = Field(default_factory=dict)
    availability: Availability = Availability.ACTIVE
    #: Grows with each change; an update names the one that it saw.
    revision: int = 1

    @property
    def node_id(self) -> str:
        """Return what swarm's clients call it by: always the same for a name."""
        return node_id(self.name)


class Heartbeat(Command[Done]):
    """Say that a node is there; its own controller says so, again and again."""

    TYPE: ClassVar[str] = "controller.node.heartbeat.v1"
    IS_ROUTINE: ClassVar[bool] = True

    node: str
    version: str
    seal_key: str = ""
    description: NodeDescription = NodeDescription()


class Fleet(Message):
    """All nodes, and whose controller is active."""

    TYPE: ClassVar[str] = "controller.node.listed.v1"

    active: str
    #: By name.
    nodes: tuple[Node, ...]


class ListNodes(Command[Fleet]):
    """Ask for all nodes."""

    TYPE: ClassVar[str] = "controller.node.list.v1"


class UpdateNode(Command[Fleet]):
    """Set what people set of a node; raises Conflict when it is no longer at *revision*."""

    TYPE: ClassVar[str] = "controller.node.update.v1"

    name: str
    revision: int
    labels: dict[str, str]
    availability: Availability


class RemoveNode(Command[Done]):
    """Forget a node that is down; *force* forgets one that is not, until it is heard of again."""

    TYPE: ClassVar[str] = "controller.node.remove.v1"

    name: str
    force: bool = False


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
    facts: tuple[Fact, ...] = ()


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


def node_id(name: str) -> str:
    """Return the id of the node of a name."""
    return _id(hashlib.sha256(name.encode()).digest())


def new_id() -> str:
    """Return a new id of a service or a task."""
    return _id(secrets.token_bytes(32))


def _id(entropy: bytes) -> str:
    number = int.from_bytes(entropy, "big")
    digits = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ID_DIGITS))
        digits.append(_ID_DIGITS[digit])
    return "".join(digits)
