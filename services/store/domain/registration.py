"""What services have registered for capabilities, and what it means for a plugin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from shared import errdefs
from shared.contracts.capability import CapabilityKey, Handler, RuntimeOption, interfaces
from shared.contracts.executor import ContainerConfig
from shared.contracts.message import Value
from shared.contracts.plugin import Plugin, PluginState


class Kind(StrEnum):
    """What is registered."""

    HANDLER = "handler"
    OPTION = "option"


class Key(NamedTuple):
    """What tells one registration from another of its kind."""

    owner: str
    interface: str

    @classmethod
    def of(cls, owner: str, key: CapabilityKey) -> Key:
        """Return the key of an owner's registration for a capability."""
        return cls(owner, key.interface)


class HandlerRecord(Value):
    """A handler, and what it was told."""

    handler: Handler
    #: The process that registered it; another one knows nothing of what this one was told.
    process: str
    #: By plugin: the containers of the starts that it acknowledged last, the newest last. Two,
    #: for a new version runs beside the old one.
    acknowledged: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return what tells it from others."""
        return Key.of(self.handler.consumer, self.handler.key)

    def knows(self, plugin: Plugin) -> bool:
        """Tell whether the plugin's present start is the one that it acknowledged last."""
        return self._told(plugin)[-1:] == (plugin.status.container_id,)

    def has_heard_of(self, plugin: Plugin) -> bool:
        """Tell whether it has acknowledged the plugin's present start, whatever came after."""
        return plugin.status.container_id in self._told(plugin)

    def after_telling(self, plugin: Plugin, plugins: Iterable[str]) -> HandlerRecord:
        """Return the record once it has acknowledged a start; only of *plugins* it keeps any."""
        known = set(plugins)
        kept = {key: value for key, value in self.acknowledged.items() if key in known}
        last = (*self._told(plugin)[-1:], plugin.status.container_id or "")
        return self.model_copy(update={"acknowledged": {**kept, plugin.plugin_id: last}})

    def _told(self, plugin: Plugin) -> tuple[str, ...]:
        return self.acknowledged.get(plugin.plugin_id, ())


def is_started(plugin: Plugin) -> bool:
    """Tell whether a plugin is ready and nobody has begun to stop it."""
    return plugin.status.state is PluginState.RUNNING


def in_type_order(
    plugin: Plugin, records: Mapping[Key, HandlerRecord], consumer: str
) -> Iterator[HandlerRecord]:
    """Yield a consumer's handlers of what the plugin provides, in the order of its types."""
    for interface in dict.fromkeys(interfaces(plugin)):
        record = records.get(Key(consumer, interface))
        if record is not None:
            yield record


def with_options(
    plugin: Plugin, config: ContainerConfig, options: Iterable[RuntimeOption]
) -> ContainerConfig:
    """Return a plugin's container with what is registered for its capabilities, added last."""
    types = dict.fromkeys(interfaces(plugin))
    by_type = [[o for o in options if o.key.interface == interface] for interface in types]
    chosen = [option for of_type in by_type for option in sorted(of_type, key=lambda o: o.owner)]
    if not chosen:
        return config
    return config.model_copy(
        update={
            "env": (*config.env, *(line for option in chosen for line in option.env)),
            "last_mounts": tuple(mount for option in chosen for mount in option.mounts),
            "links": tuple(link for option in chosen for link in option.links),
        }
    )


def not_taken(record: HandlerRecord, plugin: Plugin, error: errdefs.Error) -> errdefs.Error:
    """Return the error of an enable whose required handler did not take the plugin."""
    handler = record.handler
    who = f"the service {handler.consumer}, which handles {handler.key.interface},"
    detail = {"plugin": plugin.name, "handler": handler.consumer}
    if isinstance(error, errdefs.DeadlineExceeded | errdefs.Unavailable):
        return errdefs.DeadlineExceeded(
            f"plugin {plugin.name} was stopped again, because {who} did not answer in time: look "
            "at `wherry status`, then enable it again",
            detail=detail,
        )
    return type(error)(
        f"plugin {plugin.name} was stopped again, because {who} refused it: {error.message}",
        detail=detail,
    )
