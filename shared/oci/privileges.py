"""What a plugin must be granted, and whether a grant is just that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field

from shared import errdefs
from shared.oci.go_struct import GoStruct
from shared.oci.plugin_config import PluginConfig, Strings
from shared.oci.settings import Settings

#: Name and sorted values.
_Normal = tuple[str, tuple[str, ...]]


class PluginPrivilege(GoStruct):
    """One thing a plugin asks for; the description is only for people."""

    name: str = Field(default="", alias="Name")
    description: str = Field(default="", alias="Description")
    value: Strings = Field(default=None, alias="Value")


def compute(config: PluginConfig, settings: Settings | None = None) -> tuple[PluginPrivilege, ...]:
    """Return the privileges *config* needs in Docker's order.

    With *settings*, mounts and devices are those a user has set, so that a grant can be
    checked again after a change.
    """
    return tuple(_compute(config, settings))


def beyond(
    asked: Iterable[PluginPrivilege], granted: Iterable[PluginPrivilege]
) -> tuple[PluginPrivilege, ...]:
    """Return what of *asked* goes beyond *granted*, value by value; no order matters."""
    held = {(privilege.name, value) for privilege in granted for value in privilege.value or ()}
    found = []
    for privilege in asked:
        new = tuple(v for v in privilege.value or () if (privilege.name, v) not in held)
        if new:
            found.append(privilege.model_copy(update={"value": new}))
    return tuple(found)


def described(privileges: Iterable[PluginPrivilege]) -> str:
    """Return privileges as a person reads them in a sentence."""
    return ", ".join(f"{p.name} {' '.join(p.value or ())}".rstrip() for p in privileges)


def shown(privileges: Iterable[PluginPrivilege]) -> list[dict[str, Any]]:
    """Return privileges as an error's detail has them, sorted."""
    return _shown(Counter(_normal(privilege) for privilege in privileges))


def compare(
    required: Iterable[PluginPrivilege],
    granted: Iterable[PluginPrivilege],
    *,
    installed: Iterable[PluginPrivilege] | None = None,
) -> None:
    """Raise PermissionDenied unless *granted* is exactly *required*, in any order.

    The error's detail lists what is missing and what nobody asked for; for an upgrade, whose
    old version needed *installed*, also what is new and what is no longer needed.
    """
    required = tuple(required)
    needs = Counter(_normal(privilege) for privilege in required)
    grants = Counter(_normal(privilege) for privilege in granted)
    if needs == grants:
        return
    message = "incorrect privileges"
    detail = {"missing": _shown(needs - grants), "unexpected": _shown(grants - needs)}
    if installed is not None:
        installed = tuple(installed)
        added, dropped = beyond(required, installed), beyond(installed, required)
        message = f"{message}: {_difference(added, dropped)}"
        detail |= {"added": shown(added), "dropped": shown(dropped)}
    raise errdefs.PermissionDenied(message, detail=detail, docker_unclassed=True)


def _compute(config: PluginConfig, settings: Settings | None) -> Iterator[PluginPrivilege]:
    if config.network.type not in ("", "null", "bridge"):
        yield _privilege("network", "permissions to access a network", config.network.type)
    if config.ipc_host:
        yield _privilege("host ipc namespace", "allow access to host ipc namespace", "true")
    if config.pid_host:
        yield _privilege("host pid namespace", "allow access to host pid namespace", "true")
    for mount in (settings.mounts if settings else config.mounts) or ():
        if mount.source is not None:
            yield _privilege("mount", "host path to mount", mount.source)
    for device in (settings.devices if settings else config.linux.devices) or ():
        if device.path is not None:
            yield _privilege("device", "host device to access", device.path)
    yield from _compute_linux(config)


def _compute_linux(config: PluginConfig) -> Iterator[PluginPrivilege]:
    if config.linux.allow_all_devices:
        yield _privilege("allow-all-devices", "allow 'rwm' access to all devices", "true")
    if config.linux.capabilities:
        yield _privilege(
            "capabilities",
            "list of additional capabilities required",
            *config.linux.capabilities,
        )


def _difference(added: tuple[PluginPrivilege, ...], dropped: tuple[PluginPrivilege, ...]) -> str:
    parts = []
    if added:
        parts.append(f"the new version needs {described(added)} as well")
    if dropped:
        parts.append(f"it no longer needs {described(dropped)}")
    return ", and ".join(parts) or "the new version needs what the old one did"


def _privilege(name: str, description: str, *value: str) -> PluginPrivilege:
    return PluginPrivilege(name=name, description=description, value=value)


def _normal(privilege: PluginPrivilege) -> _Normal:
    return privilege.name, tuple(sorted(privilege.value or ()))


def _shown(privileges: Counter[_Normal]) -> list[dict[str, Any]]:
    return [{"name": name, "value": list(value)} for name, value in sorted(privileges.elements())]
