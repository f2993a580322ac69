"""What a plugin may do: what it asks for, against what somebody consented to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.store.domain.plugin_config import config_of, settings_of
from shared import errdefs
from shared.contracts.plugin import Consent, Granted, Plugin
from shared.oci import privileges
from shared.oci.plugin_config import PluginConfig
from shared.oci.privileges import PluginPrivilege

Privileges = tuple[PluginPrivilege, ...]


def asked(plugin: Plugin) -> Privileges:
    """Return what a plugin needs with its present settings."""
    return privileges.compute(config_of(plugin), settings_of(plugin))


def granted(consented: Iterable[PluginPrivilege], how: Consent, at_ns: int) -> tuple[Granted, ...]:
    """Return a grant of these privileges, each once, in a fixed order."""
    normal = {(p.name, tuple(sorted(p.value or ()))) for p in consented}
    return tuple(
        Granted(name=name, value=value, how=how, granted_at_ns=at_ns)
        for name, value in sorted(normal)
    )


def requested(
    config: PluginConfig, body: tuple[Mapping[str, Any], ...] | None, how: Consent, at_ns: int
) -> tuple[Granted, ...]:
    """Return the grant that the *body* of a pull or an upgrade is; None consents to all.

    Raises PermissionDenied in dockerd's words when it is not just what *config* needs.
    """
    needed = privileges.compute(config)
    if body is not None:
        privileges.compare(needed, [PluginPrivilege.from_go(dict(one)) for one in body])
    return granted(needed, how, at_ns)


def beyond(plugin: Plugin) -> Privileges:
    """Return what a plugin asks for and nobody consented to."""
    return privileges.beyond(asked(plugin), _privileges(plugin.grant or ()))


def require(plugin: Plugin) -> None:
    """Raise PermissionDenied when a plugin asks for more than somebody consented to."""
    new = beyond(plugin)
    if new:
        raise errdefs.PermissionDenied(
            f"plugin {plugin.name} asks for {privileges.described(new)}, which nobody granted: "
            "its record was changed since it was installed. Upgrade it or install it again, or "
            f"grant this with POST /wherry/v1/plugins/{plugin.name}/grant",
            detail={"plugin": plugin.name, "missing": privileges.shown(new)},
        )


def after_set(before: Plugin, changed: Plugin, at_ns: int) -> Plugin:
    """Return *changed* with consent to what its new settings ask for, and to nothing else."""
    refused_already = beyond(before)
    new = [privilege for privilege in beyond(changed) if privilege not in refused_already]
    return _with_more(changed, granted(new, Consent.SET, at_ns))


def after_upgrade(old: Plugin, new: Plugin) -> Plugin:
    """Return *new*, granted its body, with what of the old grant its kept settings need."""
    needed = {
        (privilege.name, value) for privilege in beyond(new) for value in privilege.value or ()
    }
    kept = [
        one.model_copy(update={"value": (value,)})
        for one in old.grant or ()
        for value in one.value
        if (one.name, value) in needed
    ]
    return _with_more(new, kept)


def after_grant(plugin: Plugin, body: Iterable[PluginPrivilege], at_ns: int) -> Plugin:
    """Return a plugin that was granted a *body*; a repeat changes nothing.

    Raises InvalidArgument for what it does not ask for.
    """
    body = tuple(body)
    unasked = privileges.beyond(body, asked(plugin))
    if unasked:
        raise errdefs.InvalidArgument(
            f"plugin {plugin.name} does not ask for {privileges.described(unasked)}: grant what "
            "it needs, or set it first",
            detail={"plugin": plugin.name, "unexpected": privileges.shown(unasked)},
        )
    new = privileges.beyond(body, _privileges(plugin.grant or ()))
    return _with_more(plugin, granted(new, Consent.GRANTED, at_ns))


def filled(plugin: Plugin, at_ns: int) -> Plugin:
    """Return a record from before grants were kept with all that it could have until now."""
    if plugin.grant is not None:
        return plugin
    config = config_of(plugin)
    had = (*privileges.compute(config), *asked(plugin))
    return plugin.model_copy(update={"grant": granted(had, Consent.KEPT, at_ns)})


def _with_more(plugin: Plugin, more: Iterable[Granted]) -> Plugin:
    return plugin.model_copy(update={"grant": (*(plugin.grant or ()), *more)})


def _privileges(grant: Iterable[Granted]) -> Privileges:
    return tuple(PluginPrivilege(name=one.name, value=one.value) for one in grant)
