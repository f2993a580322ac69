"""References to a plugin: who counts on it, as leases that run out unless they are renewed."""

from enum import StrEnum
from typing import ClassVar

from shared.contracts.message import Command, Message, Value
from shared.contracts.plugin import Plugin
from shared.oci.plugin_config import PluginInterfaceType


class OwnerKind(StrEnum):
    """What can hold a plugin; an owner is called `<kind>/<id>`, as in `volume/data1`.

    Each of them renews its lease. None is bound to something that the store itself could ask.
    """

    VOLUME = "volume"
    NETWORK = "network"
    CONTAINER = "container"
    TASK = "task"
    #: A person; the id is free text.
    USER = "user"


class GetMode(StrEnum):
    """What a look-up does to the references of the plugin it finds."""

    LOOKUP = "lookup"
    ACQUIRE = "acquire"
    RELEASE = "release"


class Reference(Value):
    """A lease on a plugin; an owner has at most one, however often it acquires."""

    plugin_id: str
    #: `<kind>/<id>`.
    owner: str
    #: What the owner uses the plugin as, such as `volumedriver`.
    capability: str
    #: When it was first acquired.
    since_ns: int
    #: Seconds that each acquisition grants.
    ttl_s: int
    #: When it runs out, unless it is renewed.
    until_ns: int
    #: Where the plugin ran when it was last acquired or renewed: an upgrade drains by it.
    container_id: str | None = None


class GotPlugin(Message):
    """The plugin, and the lease that was acquired."""

    TYPE: ClassVar[str] = "store.reference.got.v1"

    plugin: Plugin
    reference: Reference | None = None


class GetPlugin(Command[GotPlugin]):
    """Find an enabled plugin with a capability; acquire, renew or release a lease on it.

    To acquire is to renew what the owner holds already; to release what nobody holds is success.
    Who holds a lease may renew and release it while the plugin is disabled, and releases it
    whatever the plugin has become. An acquisition that is redelivered after the release holds the
    plugin again, for its time.
    """

    TYPE: ClassVar[str] = "store.reference.get.v1"

    name: str
    #: Compared without regard to case, and without a version; not looked at by a release.
    capability: str = ""
    mode: GetMode = GetMode.LOOKUP
    #: `<kind>/<id>`; a look-up needs none.
    owner: str = ""
    #: How long an acquisition lasts: a second to a week.
    ttl_s: int = 0


class ReferenceList(Message):
    """Who holds a plugin, by owner."""

    TYPE: ClassVar[str] = "store.reference.listed.v1"

    plugin: Plugin
    references: tuple[Reference, ...]


class ListReferences(Command[ReferenceList]):
    """Ask who holds a plugin, enabled or not."""

    TYPE: ClassVar[str] = "store.reference.list.v1"

    name: str


def provides(plugin: Plugin, capability: str) -> bool:
    """Tell whether a plugin has one of Docker's capabilities, in any version and in any case."""
    types = (plugin.config.get("Interface") or {}).get("Types") or ()
    found = (PluginInterfaceType.parse(text) for text in types)
    return any(t.prefix == "docker" and t.capability == capability.lower() for t in found)
