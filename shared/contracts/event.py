"""Messages of the event service, and the filter that readers of the feed share."""

from typing import ClassVar

from pydantic import Field

from shared import errdefs
from shared.contracts.message import Command, Message, Value
from shared.oci import reference

#: Filter values that Docker matches as prefixes: their events carry text behind a colon.
_PREFIX_EVENTS = frozenset({"health_status", "exec_create", "exec_start"})
#: Filter keys that match an actor's id or name, whatever the event's type.
_ACTOR_KEYS = (
    "daemon",
    "container",
    "plugin",
    "volume",
    "network",
    "node",
    "service",
    "secret",
    "config",
)


class FeedEvent(Value):
    """One event of the feed; *seq* is dense and only grows."""

    seq: int
    type: str
    action: str
    actor_id: str
    attributes: dict[str, str] = Field(default_factory=dict)
    scope: str = "local"
    time_ns: int
    #: The epoch and revision that it came from, of the service that published it.
    epoch: str
    revision: int


class FeedPosition(Value):
    """How far a service's facts have come: a revision of one of its epochs."""

    #: The service that published them.
    source: str
    epoch: str
    revision: int


class FeedFilter(Value):
    """Docker's filter of events: all keys must match, any value of a key is enough."""

    terms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    #: A key that names actors passes events of its own type only: Docker's does of any.
    strict: bool = False

    def matches(self, event: FeedEvent) -> bool:
        """Tell whether the event passes; unknown keys are ignored, as dockerd does."""
        return not self.terms or (
            self._one_of("type", event.type)
            and self._one_of("scope", event.scope)
            and self._action(event.action)
            and self._labels(event.attributes)
            and self._image(event)
            and all(self._actor(key, event) for key in _ACTOR_KEYS)
        )

    def _one_of(self, key: str, value: str) -> bool:
        values = self.terms.get(key)
        return not values or value in values

    def _action(self, action: str) -> bool:
        values = self.terms.get("event")
        if not values:
            return True
        if _PREFIX_EVENTS.intersection(values):
            return any(action.startswith(value) for value in values)
        return action in values

    def _labels(self, attributes: dict[str, str]) -> bool:
        for term in self.terms.get("label", ()):
            key, equals, value = term.partition("=")
            if key not in attributes or (equals and attributes[key] != value):
                return False
        return True

    def _image(self, event: FeedEvent) -> bool:
        values = self.terms.get("image")
        if not values:
            return True
        name = event.attributes.get("name" if event.type == "image" else "image", "")
        # The id whatever the event's type: a plugin's pull carries a reference there.
        names = {event.actor_id, _untagged(event.actor_id), name, _untagged(name)}
        return not names.isdisjoint(values)

    def _actor(self, key: str, event: FeedEvent) -> bool:
        values = self.terms.get(key)
        if not values:
            return True
        if self.strict and event.type != key:
            return False
        name = event.attributes.get("name", "")
        return any(event.actor_id.startswith(value) or name.startswith(value) for value in values)


def _untagged(name: str) -> str:
    try:
        return reference.parse(name).familiar_name
    except errdefs.InvalidArgument:
        return name


class EventPublished(Message):
    """New events of the feed, one behind the other; its stream id is the last one's number."""

    TYPE: ClassVar[str] = "event.feed.published.v1"

    event: FeedEvent
    #: Those behind it that were published with it, while many are.
    later: tuple[FeedEvent, ...] = ()

    @property
    def events(self) -> tuple[FeedEvent, ...]:
        """Return all of them, in order."""
        return (self.event, *self.later)


class FeedPage(Message):
    """A piece of the feed, oldest first."""

    TYPE: ClassVar[str] = "event.feed.page.v1"

    events: tuple[FeedEvent, ...]
    #: The feed's last number when the page was read: where a live reader goes on.
    last_seq: int
    #: The *after_seq* of the next page, when *more* says that there is one.
    next_seq: int
    more: bool = False
    #: The oldest number still kept; a reader whose cursor is older has missed events.
    oldest_seq: int = 0


class ReadFeed(Command[FeedPage]):
    """Read the kept feed after *after_seq*, within times, through a filter.

    Waits, within its deadline, until the feed has taken in the store's *min_revision*, and what
    others have *reached*.
    """

    TYPE: ClassVar[str] = "event.feed.read.v1"

    after_seq: int = 0
    since_ns: int | None = None
    until_ns: int | None = None
    filter: FeedFilter = FeedFilter()
    min_revision: int = 0
    epoch: str = ""
    reached: tuple[FeedPosition, ...] = ()
    limit: int = Field(default=1000, ge=1, le=10_000)
