"""The console put together: which page is where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.gateway import ports
from services.gateway.entrypoints.ui import live
from services.gateway.entrypoints.ui.actions import PluginActions
from services.gateway.entrypoints.ui.aged import Aged
from services.gateway.entrypoints.ui.application import Console, Frame
from services.gateway.entrypoints.ui.events import EventsPage
from services.gateway.entrypoints.ui.inner_api import InnerApi
from services.gateway.entrypoints.ui.logs import PluginOutput
from services.gateway.entrypoints.ui.node import Links, NodePage, OverviewPage, newest
from services.gateway.entrypoints.ui.nodes import NodesCard
from services.gateway.entrypoints.ui.plugin import PluginPage
from services.gateway.entrypoints.ui.plugins import PluginsPage
from services.gateway.entrypoints.ui.traces import TracePages
from services.gateway.entrypoints.ui.upgrades import UpgradePages
from services.gateway.service.feed import Feed
from services.gateway.service.fleet import Services
from services.gateway.service.health import NodeHealth
from services.gateway.service.jobs import Jobs
from services.gateway.service.logs import PluginLogs
from services.gateway.service.recent_events import RecentEvents
from services.gateway.service.references import References
from services.gateway.service.replica import Replica
from services.gateway.service.upgrades import Upgrades
from services.gateway.service.verbs import Verbs

#: Services are asked no more often than this, and the feed, however many pages are open.
_HEALTH_AGE_S: Final = 3.0
_NEWS_AGE_S: Final = 1.0
_FLEET_AGE_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What the pages need."""

    frame: Frame
    facts: Mapping[str, str]
    links: Links
    replica: Replica
    feed: Feed
    recent: RecentEvents
    references: References
    logs: PluginLogs
    verbs: Verbs
    jobs: Jobs
    upgrades: Upgrades
    traces: ports.Traces
    health: NodeHealth
    services: Services
    api: InnerApi
    closed: live.Closed

    def application(self) -> Console:
        """Return the console as an ASGI application; its paths begin with /ui."""
        events = EventsPage(feed=self.feed, recent=self.recent)
        health = Aged(ask=self.health.check, limit_s=_HEALTH_AGE_S)
        news = Aged(ask=lambda: newest(events), limit_s=_NEWS_AGE_S)
        nodes = NodesCard(services=self.services, node=self.frame.node)
        overview = OverviewPage(
            replica=self.replica,
            health=health,
            news=news,
            nodes=Aged(ask=nodes.show, limit_s=_FLEET_AGE_S),
            links=self.links,
            closed=self.closed,
        )
        node = NodePage(
            health=health,
            verbs=self.verbs,
            jobs=self.jobs,
            closed=self.closed,
            links=self.links,
            facts=self.facts,
        )
        plugin = PluginPage(
            replica=self.replica,
            references=self.references,
            output=PluginOutput(logs=self.logs),
            events=events,
            closed=self.closed,
        )
        traces = TracePages(traces=self.traces, replica=self.replica)
        upgrades = UpgradePages(upgrades=self.upgrades, api=self.api, closed=self.closed)
        actions = PluginActions(replica=self.replica, api=self.api)
        return Console(
            frame=self.frame,
            pages={
                "/ui/": overview.show,
                "/ui/plugins": PluginsPage(replica=self.replica, closed=self.closed).show,
                "/ui/plugins/{name}/logs": plugin.show_logs,
                "/ui/plugins/{name}/events": plugin.show_events,
                "/ui/plugins/{name}/traces": traces.show_of_plugin,
                "/ui/plugins/{name}": plugin.show,
                "/ui/events": events.show,
                "/ui/upgrades": upgrades.show,
                "/ui/upgrades/new": upgrades.show_form,
                "/ui/upgrades/{upgrade}": upgrades.show_one,
                "/ui/traces": traces.show,
                "/ui/traces/{trace}": traces.show_one,
                "/ui/node": node.show,
            },
            forms={
                "/ui/plugins/{name}/enable": actions.enable,
                "/ui/plugins/{name}/disable": actions.disable,
                "/ui/plugins/{name}/remove": actions.remove,
                "/ui/plugins/{name}/set": actions.set,
                "/ui/jobs/{job}/cancel": actions.cancel_job,
                "/ui/upgrades/new": upgrades.create,
                "/ui/upgrades/{upgrade}/begin": upgrades.begin,
                "/ui/upgrades/{upgrade}/{verb}": upgrades.steer,
            },
        )
