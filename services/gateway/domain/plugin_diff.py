"""What differs between two versions of a plugin, and what an upgrade would make of its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.oci import privileges, settings_merge
from shared.oci.plugin_config import PluginConfig
from shared.oci.settings import Settings, initial_settings

#: Says what the layers say, and is told with them.
_LAYERS_KEY: Final = "rootfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A plugin that is installed, or one at a registry, which has no settings yet."""

    name: str
    manifest_digest: str
    config: Mapping[str, Any]
    layers: tuple[str, ...]
    settings: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is another in the new version; None where one has it not."""

    what: str
    old: str | None
    new: str | None
    #: Of a setting: kept, default, new or dropped.
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginDiff:
    """All that differs."""

    config: tuple[Difference, ...]
    privileges: tuple[Difference, ...]
    settings: tuple[Difference, ...]
    layers_kept: tuple[str, ...]
    layers_added: tuple[str, ...]
    layers_removed: tuple[str, ...]


def compare(old: Version, new: Version) -> PluginDiff:
    """Return what differs."""
    before, after = (PluginConfig.from_go(dict(one.config)) for one in (old, new))
    return PluginDiff(
        config=tuple(_changed(dict(_flat(old.config)), dict(_flat(new.config)))),
        privileges=tuple(_changed(_needs(before), _needs(after))),
        settings=tuple(_settings(before, old.settings, after)),
        layers_kept=tuple(one for one in new.layers if one in old.layers),
        layers_added=tuple(one for one in new.layers if one not in old.layers),
        layers_removed=tuple(one for one in old.layers if one not in new.layers),
    )


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for what in sorted({*old, *new}):
        if old.get(what) != new.get(what):
            yield Difference(what=what, old=old.get(what), new=new.get(what))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value by its path; items of a list that have names are found by them."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if path or key != _LAYERS_KEY:
                yield from _flat(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and all(_name(item) for item in value):
        for item in value:
            yield from _flat(item, f"{path}[{_name(item)}]")
    elif isinstance(value, list):
        if value:
            yield path, " ".join(map(str, value))
    elif value not in (None, "", False):
        yield path, str(value).lower() if value is True else str(value)


def _name(item: Any) -> str:
    return str(item.get("Name") or "") if isinstance(item, Mapping) else ""


def _needs(config: PluginConfig) -> dict[str, str]:
    return {
        f"{needed.name} {value}".rstrip(): value or "yes"
        for needed in privileges.compute(config)
        for value in needed.value or ("",)
    }


def _settings(
    old: PluginConfig, current: Mapping[str, Any] | None, new: PluginConfig
) -> Iterator[Difference]:
    if current is None:
        return
    chosen = Settings.from_go(dict(current))
    default, now = _named(initial_settings(old)), _named(chosen)
    after = _named(settings_merge.merge(old, chosen, new))
    for what in sorted({*now, *after}):
        is_kept = now.get(what) == after.get(what)
        if is_kept and now[what] == default.get(what):
            continue  # nobody chose it, and it stays
        why = "kept" if is_kept else _why(what, now, after)
        yield Difference(what=what, old=now.get(what), new=after.get(what), why=why)


def _why(what: str, now: Mapping[str, str], after: Mapping[str, str]) -> str:
    if what not in now:
        return "new"
    return "default" if what in after else "dropped"


def _named(settings: Settings) -> dict[str, str]:
    env = (entry.partition("=") for entry in settings.env)
    return {
        **{f"env {name}": value for name, _, value in env},
        **({"args": " ".join(settings.args)} if settings.args else {}),
        **{f"mount {one.name} source": one.source or "" for one in settings.mounts},
        **{f"device {one.name} path": one.path or "" for one in settings.devices},
    }
