"""Plugins that collect the node's metrics: told to start when they run, to stop before they end."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.event import ports
from shared import errdefs
from shared.contracts.plugin import Plugin

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Collectors:
    """The callbacks of the capability metricscollector."""

    collector: ports.Collector

    async def started(self, plugin: Plugin) -> None:
        """Have a plugin collect; what it refuses is logged, as by dockerd.

        Raises Unavailable or DeadlineExceeded while it can't be reached: it is told again.
        """
        refusal = await self.collector.start_metrics(plugin)
        if refusal:
            log.error("plugin does not collect metrics", plugin=plugin.name, reason=refusal)
        else:
            log.info("plugin collects metrics", plugin=plugin.name)

    async def stopping(self, plugin: Plugin) -> None:
        """Have a plugin stop collecting, as far as it can be reached."""
        try:
            await self.collector.stop_metrics(plugin)
        except errdefs.Error as error:
            log.warning("plugin not told to stop", plugin=plugin.name, reason=error.message)
