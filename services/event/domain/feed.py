"""What a change means for the feed: which events it adds, and what went missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shared.contracts.event import FeedEvent
from shared.contracts.message import Message, owner_of
from shared.contracts.node import RowsChanged
from shared.contracts.store import Fact, PluginChanged
from shared.contracts.volume import VolumesChanged

#: Docker's type for what concerns the engine as a whole, and our action for a hole in the feed.
LOST_TYPE, LOST_ACTION = "daemon", "events-lost"


class PluginTold(Message):
    """What the feed reads of a PluginChanged: all but the record, which is most of it."""

    TYPE: ClassVar[str] = PluginChanged.TYPE

    epoch: str
    revision: int
    facts: tuple[Fact, ...] = ()


#: What services publish of what they own: facts, by dense revisions of an epoch.
Change = PluginTold | VolumesChanged | RowsChanged


def source_of(change: Change) -> str:
    """Return the service that published a change."""
    return owner_of(change.TYPE)


def has_facts(change: Change) -> bool:
    """Tell whether a change says that something happened."""
    return bool(change.facts)


def is_kept(change: Change) -> bool:
    """Tell whether a change is to be taken in: a controller's may be about rows alone."""
    return has_facts(change) or not isinstance(change, RowsChanged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event that has no number yet, and where it came from; *source* never occurs twice."""

    epoch: str
    revision: int
    #: Its place among the facts of its revision.
    index: int
    fact: Fact

    @property
    def source(self) -> tuple[str, int, int]:
        """Return what tells a second copy from a second event."""
        return self.epoch, self.revision, self.index

    def numbered(self, seq: int) -> FeedEvent:
        """Return the event as the feed's number *seq*."""
        return FeedEvent(
            seq=seq,
            type=self.fact.type,
            action=self.fact.action,
            actor_id=self.fact.actor_id,
            attributes=self.fact.attributes,
            scope=self.fact.scope,
            time_ns=self.fact.time_ns,
            epoch=self.epoch,
            revision=self.revision,
        )


def happenings(change: Change, *, reached: int, node: str, now_ns: int) -> tuple[Happening, ...]:
    """Return the events that a change adds to a feed that has reached revision *reached*.

    None for a change that was taken in before. Revisions are dense, so a jump means that its
    source no longer has what lies between: an event says so, before those of the change. Most
    revisions of a controller tell nothing, and are not taken in at all.
    """
    if change.revision <= reached:
        return ()
    facts = tuple(
        Happening(epoch=change.epoch, revision=change.revision, index=index, fact=fact)
        for index, fact in enumerate(change.facts)
    )
    first_lost, last_lost = reached + 1, change.revision - 1
    if first_lost > last_lost or isinstance(change, RowsChanged):
        return facts
    hole = Fact(
        type=LOST_TYPE,
        action=LOST_ACTION,
        actor_id=node,
        attributes={"name": node, "from": str(first_lost), "to": str(last_lost)},
        time_ns=now_ns,
    )
    # It stands where the last of the lost would have stood, so its source is its own.
    return (Happening(epoch=change.epoch, revision=last_lost, index=0, fact=hole), *facts)
