"""A plugin's config and settings, read from Docker's keys once and not for each who looks."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from shared.contracts.plugin import Plugin
from shared.oci.plugin_config import PluginConfig
from shared.oci.settings import Settings

#: Verbs that are under way at once look at fewer plugins; one that is read costs some 10 kB.
_KEPT = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """Stands for one dict, whatever is in it: nobody changes one that a plugin has."""

    value: dict[str, Any]

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value


def config_of(plugin: Plugin) -> PluginConfig:
    """Return a plugin's config."""
    return _config(_Same(plugin.config))


def settings_of(plugin: Plugin) -> Settings:
    """Return a plugin's settings."""
    return _settings(_Same(plugin.settings))


@functools.lru_cache(maxsize=_KEPT)
def _config(read: _Same) -> PluginConfig:
    return PluginConfig.from_go(read.value)


@functools.lru_cache(maxsize=_KEPT)
def _settings(read: _Same) -> Settings:
    return Settings.from_go(read.value)
