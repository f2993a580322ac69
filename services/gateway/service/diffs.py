"""Two versions of a plugin, compared: of those that are here, and of those at registries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.gateway.domain import plugin_diff
from services.gateway.domain.auth_config import AuthConfig
from services.gateway.domain.plugin_diff import PluginDiff, Version
from services.gateway.service.registries import Registries
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.oci.plugin_config import PluginConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffs:
    """Finds versions and compares them; raises what the registry says of one that is not here."""

    replica: Replica
    registries: Registries

    async def compare(
        self, old: str, new: str, auth: AuthConfig, meta_headers: Mapping[str, tuple[str, ...]]
    ) -> tuple[Version, Version, PluginDiff]:
        """Return both, and what differs; what no plugin here is called is asked of its registry."""
        before = await self._find(old, auth, meta_headers)
        after = await self._find(new, auth, meta_headers)
        return before, after, plugin_diff.compare(before, after)

    async def _find(
        self, name: str, auth: AuthConfig, meta_headers: Mapping[str, tuple[str, ...]]
    ) -> Version:
        try:
            plugin = (await self.replica.ready()).resolve(name).plugin
        except errdefs.NotFound:
            found = await self.registries.describe(name, auth, meta_headers)
            return Version(
                name=name,
                manifest_digest=found.manifest_digest,
                config=PluginConfig.from_json(found.config.encode()).to_dict(),
                layers=found.layer_digests,
            )
        return Version(
            name=plugin.name,
            manifest_digest=plugin.manifest_digest,
            config=plugin.config,
            layers=plugin.layer_digests,
            settings=plugin.settings,
        )
