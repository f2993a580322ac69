"""Messages of the store: the single writer of what exists and what is wanted."""

from typing import Any, ClassVar

from pydantic import Field

from shared.contracts.executor import Resources
from shared.contracts.message import Command, Done, Message, Value
from shared.contracts.plugin import Plugin
from shared.contracts.supervision import Part, Supervision


class Fact(Value):
    """Something that happened to a thing, for the event feed."""

    #: Docker's event type: plugin, daemon, ….
    type: str = "plugin"
    action: str
    actor_id: str
    attributes: dict[str, str] = Field(default_factory=dict)
    #: Docker's: `local`, or `swarm` where all nodes of a fleet tell it.
    scope: str = "local"
    time_ns: int


class PluginChanged(Message):
    """One revision of the inventory: the plugin's new record (None: removed) and what happened.

    Revisions are dense within an *epoch*; a new epoch, or a gap, means: take a new snapshot.
    """

    TYPE: ClassVar[str] = "store.plugin.changed.v1"

    epoch: str
    revision: int
    plugin_id: str
    plugin: Plugin | None
    facts: tuple[Fact, ...] = ()
    #: Whether the plugin is new with this revision.
    created: bool = False


class Changed(Message):
    """The reply to a verb: the changes that it made, last one last."""

    TYPE: ClassVar[str] = "store.plugin.reply.v1"

    epoch: str
    revision: int
    changes: tuple[PluginChanged, ...] = ()


class CreatePlugin(Command[Changed]):
    """Create a plugin from a context: a tar spooled below the data root; the store deletes it."""

    TYPE: ClassVar[str] = "store.plugin.create.v1"

    name: str
    context_path: str


class EnablePlugin(Command[Changed]):
    """Start a plugin and wish it running from now on."""

    TYPE: ClassVar[str] = "store.plugin.enable.v1"

    name: str
    #: Seconds until it must be ready; 0: the node's default.
    timeout_s: int = Field(default=0, ge=0)


class DisablePlugin(Command[Changed]):
    """Stop a plugin and wish it stopped."""

    TYPE: ClassVar[str] = "store.plugin.disable.v1"

    name: str
    force: bool = False


class RemovePlugin(Command[Changed]):
    """Remove a plugin with its files; *force* stops it first."""

    TYPE: ClassVar[str] = "store.plugin.remove.v1"

    name: str
    force: bool = False


class SetPlugin(Command[Changed]):
    """Change settings of a stopped plugin, all of them or none."""

    TYPE: ClassVar[str] = "store.plugin.set.v1"

    name: str
    args: tuple[str, ...]


class LimitPlugin(Command[Changed]):
    """Give a stopped plugin new limits in place of all that it had; a repeat is safe."""

    TYPE: ClassVar[str] = "store.plugin.limit.v1"

    name: str
    resources: Resources


class SupervisePlugin(Command[Changed]):
    """Set parts of how a plugin is supervised, enabled or not; a repeat is safe."""

    TYPE: ClassVar[str] = "store.plugin.supervise.v1"

    name: str
    #: What it says holds from now on; what it does not say stays.
    supervision: Supervision = Supervision()
    #: Parts where the author's word counts again.
    reset: tuple[Part, ...] = ()


class GrantPlugin(Command[Changed]):
    """Grant a plugin privileges that it asks for; a repeat changes nothing."""

    TYPE: ClassVar[str] = "store.plugin.grant.v1"

    name: str
    #: In Docker's own keys.
    privileges: tuple[dict[str, Any], ...]


class Inventory(Message):
    """A snapshot of all plugins at one revision."""

    TYPE: ClassVar[str] = "store.inventory.snapshot.v1"

    epoch: str
    revision: int
    plugins: tuple[Plugin, ...]


class GetInventory(Command[Inventory]):
    """Ask for a snapshot of all plugins."""

    TYPE: ClassVar[str] = "store.inventory.get.v1"


class Collected(Message):
    """What the collector deleted, or would delete."""

    TYPE: ClassVar[str] = "store.content.collected.v1"

    digests: tuple[str, ...]
    size_bytes: int


class CollectGarbage(Command[Collected]):
    """Delete blobs that no plugin and no job needs; *dry_run* only tells which."""

    TYPE: ClassVar[str] = "store.content.collect.v1"

    dry_run: bool = False


class ShutDownNode(Command[Done]):
    """Stop all plugins in parallel, leave them wanted, and undo the node's mounts and cgroups.

    Nothing is started afterwards until the store itself is started anew.
    """

    TYPE: ClassVar[str] = "store.node.shutdown.v1"
