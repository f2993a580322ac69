"""The kinds of what the controller keeps, each with its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.controller.domain.batch import BatchRecord, BeforeRecord, FetchRecord, ItemRecord
from services.controller.domain.credential import Credential
from services.controller.domain.plugin_service import ServiceRecord
from services.controller.domain.task import TaskRecord
from services.controller.domain.term import Term
from shared.contracts.message import Message, Value
from shared.contracts.node import Node
from shared.contracts.store import Fact


class Kind(StrEnum):
    """What a row is."""

    #: The last term in which a controller was active, as far as this one knows; one row.
    TERM = "term"
    #: By name.
    NODE = "node"
    #: By id.
    SERVICE = "service"
    TASK = "task"
    #: What a service logs in with, as a node can open it: `<service id>/<node>`.
    CREDENTIAL = "credential"
    BATCH = "batch"
    #: By batch and number.
    BATCH_PLUGIN = "batch-plugin"
    #: By batch and number: the plugin as it was before.
    BATCH_BEFORE = "batch-before"
    #: By batch and number: what is fetched for its plugins.
    BATCH_FETCH = "batch-fetch"


#: A kind that is not here is copied, for a newer controller has it, and means nothing.
MODELS: Final[Mapping[str, type[Value]]] = {
    Kind.TERM: Term,
    Kind.NODE: Node,
    Kind.SERVICE: ServiceRecord,
    Kind.TASK: TaskRecord,
    Kind.CREDENTIAL: Credential,
    Kind.BATCH: BatchRecord,
    Kind.BATCH_PLUGIN: ItemRecord,
    Kind.BATCH_BEFORE: BeforeRecord,
    Kind.BATCH_FETCH: FetchRecord,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row with its body read; None: it is gone."""

    kind: Kind
    key: str
    body: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is committed together."""

    entries: tuple[Entry, ...] = ()
    #: The command that this answers, and its reply: a redelivery is given the same.
    answers: str | None = None
    reply: Message | None = None
    #: What it tells the event feed.
    facts: tuple[Fact, ...] = ()
