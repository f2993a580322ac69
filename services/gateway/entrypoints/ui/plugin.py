"""One plugin's pages: how it is, its output, its events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from services.gateway.domain import plugin_view
from services.gateway.domain.live_regions import Regions
from services.gateway.domain.plugin_view import STATES
from services.gateway.entrypoints.http import Request, Stream
from services.gateway.entrypoints.ui import live
from services.gateway.entrypoints.ui.events import EventsPage, rows
from services.gateway.entrypoints.ui.guard import Visit
from services.gateway.entrypoints.ui.logs import PluginOutput
from services.gateway.entrypoints.ui.page import Page
from services.gateway.entrypoints.ui.plugins import moved, place
from services.gateway.entrypoints.ui.render import render
from services.gateway.service.references import References
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.event import FeedFilter
from shared.contracts.plugin import Plugin
from shared.contracts.reference import Reference

_EVENTS: Final = 200
#: Leases come and go without a change of the plugin.
_REFRESH_S: Final = 5.0
_PARTS: Final = ("head", "status", "references")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginPage:
    """The handlers, and what they need."""

    replica: Replica
    references: References
    output: PluginOutput
    events: EventsPage
    closed: live.Closed

    async def show(self, request: Request, visit: Visit) -> Page | Stream:
        """Show how a plugin is, and what may be done to it."""
        plugin = await self.find(request)
        if live.is_wished(request):
            return live.stream(
                live.regions(
                    lambda: self._look(plugin.plugin_id, visit),
                    lambda seen: moved(self.replica, seen.partition("/")[0]),
                    seen=live.cursor(request),
                    is_closed=self.closed,
                    refresh_s=_REFRESH_S,
                )
            )
        position, shown = await self._look(plugin.plugin_id, visit)
        return Page(
            title=plugin.name,
            section="plugins",
            template="plugin.html",
            position=position,
            values=self._values(plugin, "status") | {"parts": shown.parts},
        )

    async def show_logs(self, request: Request, _visit: Visit) -> Page | Stream:
        """Show a plugin's output, oldest first, and go on with it."""
        plugin = await self.find(request)
        if live.is_wished(request):
            return await self.output.follow(plugin.plugin_id, request)
        entries, position = await self.output.last(plugin.plugin_id)
        return Page(
            title=f"Logs of {plugin.name}",
            section="plugins",
            template="plugin_logs.html",
            position=position,
            values=self._values(plugin, "logs") | {"entries": entries},
        )

    async def show_events(self, request: Request, _visit: Visit) -> Page | Stream:
        """Show a plugin's events, newest first, and go on with them."""
        plugin = await self.find(request)
        wanted = FeedFilter(terms={"plugin": (plugin.plugin_id,)})
        if live.is_wished(request):
            return live.stream(await self.events.follow(wanted, live.cursor(request)))
        found = await self.events.newest(wanted, count=_EVENTS)
        return Page(
            title=f"Events of {plugin.name}",
            section="plugins",
            template="plugin_events.html",
            position=str(found.last_seq),
            values=self._values(plugin, "events") | {"entries": rows(found.events)},
        )

    async def find(self, request: Request) -> Plugin:
        """Return the plugin that an address names; raises NotFound."""
        return (await self.replica.ready()).resolve(request.name).plugin

    def _values(self, plugin: Plugin, tab: str) -> dict[str, Any]:
        return {"plugin": plugin, "view": plugin_view, "states": STATES, "tab": tab}

    async def _look(self, plugin_id: str, visit: Visit) -> tuple[str, Regions]:
        inventory = await self.replica.ready()
        # A page that outlived its gateway needs forms that the new one takes.
        position = f"{place(inventory)}/{visit.token[:8]}"
        entry = inventory.entries.get(plugin_id)
        if entry is None:
            gone = render("plugin_gone.html", {})
            return position, Regions(parts={"head": gone})
        held, problem = await self._held(plugin_id)
        values = self._values(entry.plugin, "status") | {
            "held": held,
            "problem": problem,
            "token": visit.token,
        }
        parts = {part: render(f"plugin_{part}.html", values) for part in _PARTS}
        return position, Regions(parts=parts)

    async def _held(self, plugin_id: str) -> tuple[tuple[Reference, ...], str]:
        """Return who holds a plugin, or why nobody can tell: the rest of the page stands."""
        try:
            return (await self.references.list(plugin_id)).references, ""
        except errdefs.Error as error:
            return (), error.message
