"""Which plugins a list shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from services.gateway.domain import filters
from shared.contracts.plugin import Plugin
from shared.oci.plugin_config import PluginInterfaceType


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFilter:
    """The filters `enabled` and `capability` of GET /plugins; None lets everything through."""

    enabled: bool | None = None
    capabilities: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, raw: str) -> Self:
        """Read the `filters` parameter; raises InvalidArgument in dockerd's words."""
        terms = filters.parse(raw)
        filters.check_keys(terms, ("enabled", "capability"))
        enabled = filters.to_bool(terms, "enabled")
        return cls(enabled=enabled, capabilities=terms.get("capability"))

    def matches(self, plugin: Plugin) -> bool:
        """Tell whether *plugin* is shown; one capability that fits is enough."""
        if self.enabled is not None and plugin.enabled != self.enabled:
            return False
        if not self.capabilities:
            return True
        found = capabilities(plugin)
        return any(_fits(wanted, has) for wanted in self.capabilities for has in found)


def capabilities(plugin: Plugin) -> tuple[str, ...]:
    """Return what the plugin says it can do, such as `volumedriver`."""
    types = (plugin.config.get("Interface") or {}).get("Types") or ()
    return tuple(PluginInterfaceType.parse(text).capability for text in types)


def _fits(wanted: str, capability: str) -> bool:
    if wanted == capability:
        return True
    try:
        return re.search(wanted, capability) is not None
    except re.error:
        return False  # dockerd ignores a pattern that is none
