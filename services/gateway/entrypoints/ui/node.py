"""The node: its services with their queues, what they found at the last start, its programs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.gateway.domain import plugin_view
from services.gateway.domain.live_regions import Listing, Regions
from services.gateway.domain.plugin_view import STATES
from services.gateway.entrypoints.http import Request, Stream
from services.gateway.entrypoints.ui import live
from services.gateway.entrypoints.ui.aged import Aged
from services.gateway.entrypoints.ui.events import EventsPage, rows
from services.gateway.entrypoints.ui.guard import Visit
from services.gateway.entrypoints.ui.page import Page
from services.gateway.entrypoints.ui.plugins import Rows, all_of, moved, place
from services.gateway.entrypoints.ui.render import render
from services.gateway.service.health import Report
from services.gateway.service.jobs import Jobs
from services.gateway.service.replica import Replica
from services.gateway.service.verbs import Verbs
from shared import errdefs
from shared.contracts.event import FeedFilter
from shared.contracts.job import Job
from shared.contracts.recovery import RecoveryReport

#: What a store or a service is asked for is this old at most.
_REFRESH_S: Final = 3.0
_EVENTS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where else this node is looked at; empty: nowhere."""

    grafana: str = ""
    jaeger: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The first page: how all is, at a glance."""

    replica: Replica
    health: Aged[tuple[Report, ...]]
    #: The rows of the last events.
    news: Aged[str]
    #: The card of the fleet's nodes.
    nodes: Aged[str]
    links: Links
    closed: live.Closed
    _tiles: Rows = field(default_factory=lambda: Rows(template="overview_tile.html", prefix="t-"))
    _rows: Rows = field(default_factory=lambda: Rows(template="plugins_row.html", prefix="p-"))

    async def show(self, request: Request, _visit: Visit) -> Page | Stream:
        """Show what needs a look, all plugins as a map, nodes, services, what happened last."""
        if live.is_wished(request):
            return live.stream(
                live.regions(
                    self._look,
                    lambda seen: moved(self.replica, seen),
                    seen=live.cursor(request),
                    is_closed=self.closed,
                    refresh_s=_REFRESH_S,
                )
            )
        position, shown = await self._look()
        return Page(
            title="Overview",
            section="overview",
            template="overview.html",
            position=position,
            values={"parts": shown.parts, "lists": shown.lists, "links": self.links},
        )

    async def _look(self) -> tuple[str, Regions]:
        inventory = await self.replica.ready()
        position, plugins = place(inventory), all_of(inventory)
        troubled = [p for p in plugins if STATES[plugin_view.state_of(p)] in ("bad", "warn")]
        reports, entries, nodes = await asyncio.gather(
            self.health.get(), self.news.get(), self.nodes.get()
        )
        values = {
            "counts": plugin_view.counts(plugins),
            "states": STATES,
            "count": len(plugins),
            "troubled": len(troubled),
            "reports": reports,
            "entries": entries,
        }
        names = ("counts", "services", "news")
        parts = {name: render(f"overview_{name}.html", values) for name in names}
        parts["nodes"] = nodes
        tiles, rows_ = self._tiles.items(inventory, plugins), self._rows.items(inventory, troubled)
        lists = {
            "tiles": Listing(tag="ul", element_id="tiles", css_class="tiles", items=tiles),
            "troubled": Listing(tag="tbody", element_id="troubled", items=rows_),
        }
        return position, Regions(parts=parts, lists=lists)


async def newest(events: EventsPage) -> str:
    """Return the last events as rows, or why nobody can tell."""
    try:
        return rows((await events.newest(FeedFilter(), count=_EVENTS)).events)
    except errdefs.Error as error:
        return render("events_problem.html", {"problem": error.message})


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePage:
    """The services in detail."""

    health: Aged[tuple[Report, ...]]
    verbs: Verbs
    jobs: Jobs
    closed: live.Closed
    links: Links
    #: What is told of the node itself, in order.
    facts: Mapping[str, str]

    async def show(self, request: Request, _visit: Visit) -> Page | Stream:
        """Show services' health and queues, jobs, and what the last start recovered."""
        if live.is_wished(request):
            return live.stream(
                live.regions(
                    self._look,
                    self._wait,
                    seen=live.cursor(request),
                    is_closed=self.closed,
                    refresh_s=_REFRESH_S,
                )
            )
        position, shown = await self._look()
        return Page(
            title="Node",
            section="node",
            template="node.html",
            position=position,
            values={"parts": shown.parts, "facts": self.facts, "links": self.links},
        )

    async def _look(self) -> tuple[str, Regions]:
        jobs, recovery, problem = await self._of_the_store()
        values = {
            "reports": await self.health.get(),
            "jobs": jobs[:50],
            "recovery": recovery,
            "problem": problem,
        }
        names = ("services", "jobs", "recovery")
        return "now", Regions(parts={n: render(f"node_{n}.html", values) for n in names})

    async def _of_the_store(self) -> tuple[tuple[Job, ...], RecoveryReport | None, str]:
        try:
            return await self.jobs.list(), await self.verbs.recovery(), ""
        except errdefs.Error as error:
            return (), None, error.message

    async def _wait(self, _seen: str) -> bool:
        await asyncio.sleep(1.0)
        return False
