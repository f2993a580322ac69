"""What services register for plugins of a capability: handlers of their starts, runtime options.

A registration is a lease: whoever registers repeats it in time, and one that is not repeated
ends. The store keeps it, so that what starts while its owner is away is told later.
"""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from shared.contracts.executor import ContainerLink, ContainerMount
from shared.contracts.message import Command, Done, Message, Value
from shared.contracts.plugin import Plugin

#: Seconds; who dies without a word is forgotten after this.
_LONGEST_TTL_S = 24 * 3600

#: The only version that Docker's own subsystems ask for.
VERSION = "1.0"


class CapabilityKey(Value):
    """A capability in one version, as in `docker.metricscollector/1.0`."""

    #: Compared without regard to case, such as `metricscollector`.
    capability: str = Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")
    version: str = Field(default=VERSION, pattern=r"^[A-Za-z0-9._-]{1,32}$")

    @property
    def interface(self) -> str:
        """Return the interface type that a plugin's config names."""
        return f"docker.{self.capability.lower()}/{self.version}"


class Handler(Value):
    """A service that is told of each start of the plugins of a capability."""

    #: The service that takes `store.handler.call.v1`.
    consumer: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    key: CapabilityKey
    #: Whether an enable waits for it, and fails with it.
    required: bool = False
    #: Whether it is also told before a plugin is stopped.
    hears_of_stops: bool = False
    ttl_s: int = Field(default=60, ge=1, le=_LONGEST_TTL_S)


class RegisterHandler(Command[Done]):
    """Be told of each start, from now on, of plugins of a capability, and of those that run.

    A repeat renews. Another *process* than before is told again of all that run: what the one
    before it did with them is gone.
    """

    TYPE: ClassVar[str] = "store.handler.register.v1"
    IS_ROUTINE: ClassVar[bool] = True

    handler: Handler
    process: str


class UnregisterHandler(Command[Done]):
    """Be told no more; a handler that is not registered is success."""

    TYPE: ClassVar[str] = "store.handler.unregister.v1"

    consumer: str
    key: CapabilityKey


class Moment(StrEnum):
    """What a handler is told of."""

    #: The plugin is ready.
    STARTED = "started"
    #: It is about to be stopped, and answers still.
    STOPPING = "stopping"


class CallHandler(Command[Done]):
    """Tell a handler of a plugin; sent to its service by name. Returning acknowledges.

    At least once for each start that lasts until it is told.
    """

    TYPE: ClassVar[str] = "store.handler.call.v1"

    moment: Moment
    interface: str
    #: With the container and the socket folder of this start.
    plugin: Plugin


class RuntimeOption(Value):
    """What the containers of a capability's plugins get beyond what their config says.

    It comes from the node, not from the plugin: no grant speaks of it.
    """

    #: Who wants it; has one per capability.
    owner: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    key: CapabilityKey
    #: After all other mounts.
    mounts: tuple[ContainerMount, ...] = ()
    links: tuple[ContainerLink, ...] = ()
    #: After the plugin's own, so that these win.
    env: tuple[str, ...] = ()
    ttl_s: int = Field(default=60, ge=1, le=_LONGEST_TTL_S)


class RegisterRuntimeOption(Command[Done]):
    """Give the plugins of a capability an option from their next start on.

    A repeat renews; another option of the same owner takes the place of the one before.
    """

    TYPE: ClassVar[str] = "store.runtime-option.register.v1"
    IS_ROUTINE: ClassVar[bool] = True

    option: RuntimeOption


class UnregisterRuntimeOption(Command[Done]):
    """Give an option no more; one that is not registered is success."""

    TYPE: ClassVar[str] = "store.runtime-option.unregister.v1"

    owner: str
    key: CapabilityKey


class Registrations(Message):
    """All that is registered, by owner."""

    TYPE: ClassVar[str] = "store.registration.listed.v1"

    handlers: tuple[Handler, ...]
    options: tuple[RuntimeOption, ...]


class ListRegistrations(Command[Registrations]):
    """Ask what services have registered for capabilities."""

    TYPE: ClassVar[str] = "store.registration.list.v1"


def interfaces(plugin: Plugin) -> tuple[str, ...]:
    """Return the interface types of a plugin in their order, as handlers are asked for."""
    types = (plugin.config.get("Interface") or {}).get("Types") or ()
    return tuple(str(text) for text in types)
