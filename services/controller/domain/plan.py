"""What an upgrade would make of a plugin, and whether the batch may make it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from services.controller.domain.batch import ItemRecord
from shared import errdefs
from shared.contracts.batch import (
    BatchRequest,
    Difference,
    ItemState,
    PlannedPlugin,
    PrivilegePolicy,
)
from shared.contracts.plugin import Plugin
from shared.contracts.pull import RemotePlugin
from shared.contracts.upgrade import UpgradeStrategy
from shared.oci import go_json, privileges, settings_merge
from shared.oci.plugin_config import PluginConfig
from shared.oci.plugin_extension import PluginExtension
from shared.oci.privileges import PluginPrivilege
from shared.oci.settings import Settings


def planned(
    batch_id: str,
    number: int,
    node: str,
    plugin: Plugin,
    remote: str,
) -> ItemRecord:
    """Return a plugin of a batch of which it is not known yet what the target is."""
    shown = PlannedPlugin(
        number=number,
        node=node,
        plugin_id=plugin.plugin_id,
        name=plugin.name,
        enabled=plugin.enabled,
        from_reference=plugin.reference,
        from_digest=plugin.manifest_digest,
        to_reference=remote,
    )
    return ItemRecord(batch_id=batch_id, planned=shown)


def unknown(item: ItemRecord, error: errdefs.Error, now_ns: int) -> ItemRecord:
    """Return a plugin whose target can't be had."""
    return item.now(ItemState.FAILED, error=error.to_wire(), ended_at_ns=now_ns)


def compared(
    item: ItemRecord, before: Plugin, found: RemotePlugin, request: BatchRequest, now_ns: int
) -> ItemRecord:
    """Return a plugin with what its upgrade makes of it; failed where the batch may not do that."""
    try:
        new = PluginConfig.from_json(found.config.encode())
    except go_json.GoJSONError as error:
        return unknown(item, errdefs.InvalidArgument(f"failed to parse config: {error}"), now_ns)
    old = PluginConfig.from_go(before.config)
    current = Settings.from_go(before.settings)
    needed = privileges.compute(new)
    changes = {
        "to_digest": found.manifest_digest,
        "privileges": tuple(_differences(_needs(privileges.compute(old)), _needs(needed))),
        "settings": tuple(
            _differences(_named(current), _named(settings_merge.merge(old, current, new)))
        ),
    }
    item = item.model_copy(
        update={
            "pinned_digest": found.resolved_digest or found.manifest_digest,
            "grant": tuple(one.to_dict() for one in needed),
        }
    )
    if found.manifest_digest == before.manifest_digest:
        return item.now(ItemState.UNCHANGED, **changes)
    try:
        _require_allowed(request, before, privileges.compute(old), needed)
        _require_order(request, before, found.config)
    except errdefs.Error as error:
        return unknown(item.now(ItemState.PENDING, **changes), error, now_ns)
    return item.now(ItemState.PENDING, **changes)


def _require_allowed(
    request: BatchRequest,
    plugin: Plugin,
    old: Iterable[PluginPrivilege],
    needed: tuple[PluginPrivilege, ...],
) -> None:
    if request.policy is PrivilegePolicy.GRANT_ALL:
        return
    allowed = list(old)
    if request.policy is PrivilegePolicy.GRANT_LISTED:
        allowed += [PluginPrivilege.from_go(one) for one in request.privileges]
    beyond = privileges.beyond(needed, allowed)
    if beyond:
        raise errdefs.PermissionDenied(
            f"plugin {plugin.name} would need {privileges.described(beyond)} as well, which the "
            f"policy {request.policy} does not grant: list it under grant-listed, or leave the "
            "plugin out",
            detail={"plugin": plugin.name, "added": privileges.shown(beyond)},
        )


def _require_order(request: BatchRequest, plugin: Plugin, config: str) -> None:
    if request.update.order is not UpgradeStrategy.START_FIRST or not plugin.enabled:
        return
    new = PluginExtension.from_config(config.encode())
    if not (plugin.extension.handover and new.handover):
        raise errdefs.InvalidArgument(
            f"plugin {plugin.name} does not declare, in both versions, that two of it may run side "
            "by side: upgrade it with the order stop-first",
            detail={"plugin": plugin.name},
        )


def _needs(needed: Iterable[PluginPrivilege]) -> dict[str, str]:
    return {
        f"{one.name} {value}".rstrip(): value or "yes"
        for one in needed
        for value in one.value or ("",)
    }


def _named(settings: Settings) -> dict[str, str]:
    env = (entry.partition("=") for entry in settings.env)
    return {
        **{f"env {name}": value for name, _, value in env},
        **({"args": " ".join(settings.args)} if settings.args else {}),
        **{f"mount {one.name} source": one.source or "" for one in settings.mounts},
        **{f"device {one.name} path": one.path or "" for one in settings.devices},
    }


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for what in sorted({*old, *new}):
        if old.get(what) != new.get(what):
            yield Difference(what=what, old=old.get(what), new=new.get(what))
