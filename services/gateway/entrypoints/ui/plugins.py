"""The list of plugins, and the map of all of them on the first page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from services.gateway.domain import plugin_view
from services.gateway.domain.inventory import Inventory
from services.gateway.domain.live_regions import Listing, Regions
from services.gateway.domain.plugin_view import STATES, PluginFilterView
from services.gateway.entrypoints.http import Request, Stream
from services.gateway.entrypoints.ui import live
from services.gateway.entrypoints.ui.guard import Visit
from services.gateway.entrypoints.ui.page import Page
from services.gateway.entrypoints.ui.render import render
from services.gateway.service.replica import Replica
from shared.contracts.plugin import Plugin

#: How long a stream that has nothing to tell looks away.
_PATIENCE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """HTML of plugins, made once for each record."""

    template: str
    #: Before a plugin's id: the id of its row.
    prefix: str
    _made: dict[str, tuple[Plugin, str]] = field(default_factory=dict)

    def of(self, plugin: Plugin) -> str:
        """Return a plugin's row."""
        known = self._made.get(plugin.plugin_id)
        if known is not None and known[0] is plugin:
            return known[1]
        row = render(self.template, {"plugin": plugin, "view": plugin_view, "states": STATES})
        self._made[plugin.plugin_id] = (plugin, row)
        return row

    def keep(self, plugin_ids: Iterable[str]) -> None:
        """Forget those that are gone."""
        gone = self._made.keys() - set(plugin_ids)
        for plugin_id in gone:
            del self._made[plugin_id]

    def items(self, inventory: Inventory, shown: list[Plugin]) -> dict[str, str]:
        """Return the plugins' rows by the rows' ids."""
        self.keep(inventory.entries)
        return {f"{self.prefix}{plugin_view.short_id(p)}": self.of(p) for p in shown}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginsPage:
    """The handlers, and what they need."""

    replica: Replica
    closed: live.Closed
    _rows: Rows = field(default_factory=lambda: Rows(template="plugins_row.html", prefix="p-"))

    async def show(self, request: Request, _visit: Visit) -> Page | Stream:
        """List the plugins that a person looks for, or tell what changes in that list."""
        wanted = PluginFilterView(
            text=request.form("text").strip(),
            state=request.form("state"),
            capability=request.form("capability"),
        )
        if live.is_wished(request):
            return live.stream(
                live.regions(
                    lambda: self.look(wanted),
                    lambda seen: moved(self.replica, seen),
                    seen=live.cursor(request),
                    is_closed=self.closed,
                )
            )
        position, shown = await self.look(wanted)
        plugins = all_of(await self.replica.ready())
        offered = sorted({c for p in plugins for c in plugin_view.capabilities(p)})
        return Page(
            title="Plugins",
            section="plugins",
            template="plugins.html",
            position=position,
            values={
                "wanted": wanted,
                "states": STATES,
                "capabilities": offered,
                "summary": shown.parts["summary"],
                "rows": shown.lists["rows"].whole(),
                "shown": len(shown.lists["rows"].items),
            },
        )

    async def look(self, wanted: PluginFilterView) -> tuple[str, Regions]:
        """Return a position, and the list as it is there."""
        inventory = await self.replica.ready()
        plugins = all_of(inventory)
        shown = [p for p in plugins if wanted.shows(p)]
        summary = render("plugins_summary.html", {"shown": len(shown), "all": len(plugins)})
        items = self._rows.items(inventory, shown)
        rows = Listing(tag="tbody", element_id="rows", items=items)
        return place(inventory), Regions(parts={"summary": summary}, lists={"rows": rows})


def all_of(inventory: Inventory) -> list[Plugin]:
    """Return all plugins, sorted by name."""
    return sorted((e.plugin for e in inventory.entries.values()), key=lambda p: p.name)


def place(inventory: Inventory) -> str:
    """Return what a page made of the inventory was made of."""
    newest = inventory.newest
    return f"{newest.epoch}:{newest.revision}"


async def moved(replica: Replica, seen: str) -> bool:
    """Wait a moment for news; tell whether there are some."""
    await replica.until(lambda inventory: place(inventory) != seen, _PATIENCE_S)
    return place(replica.inventory) != seen
