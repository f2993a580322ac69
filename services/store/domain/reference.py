"""The rules of leases on plugins: who may hold one, on which plugin, and how long."""

from __future__ import annotations

import re
from collections.abc import Collection

from shared import errdefs
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.reference import GetPlugin, OwnerKind, Reference, provides

#: An owner that is gone without a word holds a plugin no longer than this.
LONGEST_TTL_S = 7 * 24 * 3600

_KINDS = tuple(OwnerKind)
# No slash in the id: owner and plugin, whose name has slashes, share one path in /wherry/v1.
_OWNER = re.compile(rf"(?:{'|'.join(_KINDS)})/[^/\x00-\x1f\x7f]{{1,255}}")


def check_owner(owner: str) -> None:
    """Raise InvalidArgument unless *owner* says what kind of thing it is, and which one."""
    if not _OWNER.fullmatch(owner):
        raise errdefs.InvalidArgument(
            f"owner {owner!r} is invalid: must be <kind>/<id>, as in volume/data1, the kind one of "
            f"{', '.join(_KINDS)}, the id 1 to 255 characters without a slash"
        )


def check_ttl(ttl_s: int) -> None:
    """Raise InvalidArgument unless a lease may last *ttl_s* seconds."""
    if not 1 <= ttl_s <= LONGEST_TTL_S:
        raise errdefs.InvalidArgument(
            f"ttl_s {ttl_s} is invalid: must be 1 to {LONGEST_TTL_S} seconds; "
            "acquire again in time to hold the plugin longer"
        )


def require_usable(plugin: Plugin, command: GetPlugin) -> None:
    """Raise, in dockerd's words, unless a plugin is enabled and has the capability asked for."""
    # One that is being stopped for good will be disabled, whoever dies.
    if not plugin.enabled or plugin.status.state is PluginState.STOPPING:
        raise errdefs.Conflict(
            f"plugin {command.name} found but disabled", detail={"plugin": plugin.name}
        )
    if not provides(plugin, command.capability):
        raise errdefs.InvalidArgument(
            f'plugin does not provide "{command.capability.lower()}" capability',
            detail={"plugin": plugin.name},
            docker_unclassed=True,
        )


def in_use(plugin: Plugin, references: Collection[Reference]) -> errdefs.Conflict:
    """Return the error that tells who holds a plugin."""
    owners = [reference.owner for reference in references]
    return errdefs.Conflict(
        f"plugin {plugin.name} is in use", detail={"plugin": plugin.name, "owners": owners}
    )


def is_renewal(command: GetPlugin, held: Reference | None) -> bool:
    """Tell whether an acquisition asks for no more than its owner holds."""
    return held is not None and held.capability == command.capability.lower()


def acquired(command: GetPlugin, plugin: Plugin, held: Reference | None, now_ns: int) -> Reference:
    """Return the lease that *command* makes of what its owner has *held*."""
    return Reference(
        plugin_id=plugin.plugin_id,
        owner=command.owner,
        capability=command.capability.lower(),
        since_ns=now_ns if held is None else held.since_ns,
        ttl_s=command.ttl_s,
        until_ns=now_ns + command.ttl_s * 10**9,
        container_id=plugin.status.container_id,
    )


def since_start(reference: Reference, started_ns: int) -> Reference:
    """Return a lease with the time it has when nobody could renew it before *started_ns*."""
    until_ns = max(reference.until_ns, started_ns + reference.ttl_s * 10**9)
    return reference.model_copy(update={"until_ns": until_ns})
