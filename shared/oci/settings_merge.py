"""A plugin's settings when its config changes: what its user chose stays, the rest follows."""

from __future__ import annotations

from typing import TypeVar

from shared.oci.plugin_config import PluginConfig, PluginDevice, PluginMount
from shared.oci.settings import Settings, initial_settings

_Named = TypeVar("_Named", PluginMount, PluginDevice)


def merge(old: PluginConfig, current: Settings, new: PluginConfig) -> Settings:
    """Return the settings of *new*: its defaults, under all that *current* changed from *old*.

    A choice about something that the new config no longer has is dropped.
    """
    before, after = initial_settings(old), initial_settings(new)
    return Settings(
        env=_merge_env(before, current, new, after),
        args=current.args if current.args != before.args else after.args,
        mounts=tuple(_chosen(m, before.mounts, current.mounts, "source") for m in after.mounts),
        devices=tuple(_chosen(d, before.devices, current.devices, "path") for d in after.devices),
    )


def _merge_env(
    before: Settings, current: Settings, new: PluginConfig, after: Settings
) -> tuple[str, ...]:
    defaults, chosen = _env(before), _env(current)
    known = {env.name for env in new.env or ()}
    merged = _env(after)
    for name, value in chosen.items():
        if name in known and defaults.get(name) != value:
            merged[name] = value
    return tuple(f"{name}={value}" for name, value in merged.items())


def _env(settings: Settings) -> dict[str, str]:
    return {name: value for name, _, value in (entry.partition("=") for entry in settings.env)}


def _chosen(
    item: _Named, before: tuple[_Named, ...], current: tuple[_Named, ...], field: str
) -> _Named:
    was = next((getattr(old, field) for old in before if old.name == item.name), None)
    now = next((getattr(own, field) for own in current if own.name == item.name), None)
    if now is None or now == was:
        return item
    return item.model_copy(update={field: now})
