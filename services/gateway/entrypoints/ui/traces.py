"""Recent traces: what requests were served, and where the time of one went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from services.gateway import ports
from services.gateway.domain import plugin_view, traces
from services.gateway.domain.plugin_view import STATES
from services.gateway.domain.waterfall import waterfall
from services.gateway.entrypoints.http import Request
from services.gateway.entrypoints.ui.guard import Visit
from services.gateway.entrypoints.ui.page import Page
from services.gateway.service.replica import Replica
from shared.telemetry.kept import KeptSpan

_COUNT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePages:
    """The handlers, and what they need."""

    traces: ports.Traces
    replica: Replica

    async def show(self, request: Request, _visit: Visit) -> Page:
        """List recent traces, the newest or the slowest first."""
        found = await self._found(request, request.form("plugin").strip())
        return Page(
            title="Traces",
            section="traces",
            template="traces.html",
            values=_listed(found)
            | {
                "plugin": request.form("plugin"),
                "order": request.form("order"),
                "everything": request.form("all"),
            },
        )

    async def show_of_plugin(self, request: Request, _visit: Visit) -> Page:
        """List recent traces of requests about one plugin."""
        plugin = (await self.replica.ready()).resolve(request.name).plugin
        return Page(
            title=f"Traces of {plugin.name}",
            section="plugins",
            template="plugin_traces.html",
            values=_listed(await self._found(request, plugin.name))
            | {"plugin": plugin, "view": plugin_view, "states": STATES, "tab": "traces"},
        )

    async def show_one(self, request: Request, _visit: Visit) -> Page:
        """Show a trace as a waterfall."""
        wanted = request.params["trace"]
        traces.check_id(wanted)
        found = traces.chosen(await self.traces.about(wanted), wanted)
        return Page(
            title=f"Trace {found.trace_id[:8]}",
            section="traces",
            template="trace.html",
            values={
                "trace": found,
                "fall": waterfall(found.spans),
                "services": sorted({span.service for span in found.spans}),
                **_listed(found.linked),
            },
        )

    async def _found(self, request: Request, plugin: str) -> tuple[KeptSpan, ...]:
        return traces.listed(
            await self.traces.roots(),
            everything=bool(request.form("all")),
            plugin=plugin,
            is_slow_first=request.form("order") == "slowest",
            limit=_COUNT,
        )


def _listed(roots: tuple[KeptSpan, ...]) -> dict[str, Any]:
    """Return traces with the longest of them, by which the others are drawn."""
    longest = max((root.end_ns - root.start_ns for root in roots), default=0)
    return {"roots": roots, "longest_ns": max(1, longest)}
