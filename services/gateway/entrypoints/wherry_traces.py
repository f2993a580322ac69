"""Recent traces of the node, in /wherry/v1: for whoever has no back end to look into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.gateway import ports
from services.gateway.domain import traces
from shared.telemetry.kept import KeptSpan

Everything = Annotated[
    bool, Query(alias="all", description="also what no request began: handled facts, restarts")
]
Plugin = Annotated[str, Query(description="only requests about it, as they named it")]
Slow = Annotated[bool, Query(description="the slowest first, instead of the newest")]
Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many")]


class TraceList(BaseModel):
    """The first span of each trace."""

    traces: tuple[KeptSpan, ...]


class TraceShown(BaseModel):
    """All that was kept of a trace, and the first spans of the traces that it led to."""

    trace_id: str
    spans: tuple[KeptSpan, ...]
    linked: tuple[KeptSpan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceExtension:
    """The handlers, and what they need."""

    traces: ports.Traces

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        router.get("/traces")(self.list_traces)
        router.get("/traces/{trace_id}")(self.get_trace)

    async def list_traces(
        self,
        everything: Everything = False,  # noqa: FBT002 - a parameter of the query
        plugin: Plugin = "",
        slow: Slow = False,  # noqa: FBT002 - a parameter of the query
        limit: Limit = 20,
    ) -> TraceList:
        """List recent traces by their first spans."""
        found = traces.listed(
            await self.traces.roots(),
            everything=everything,
            plugin=plugin,
            is_slow_first=slow,
            limit=limit,
        )
        return TraceList(traces=found)

    async def get_trace(self, trace_id: str) -> TraceShown:
        """Show a trace by its id, or the beginning of it.

        A span is there within a moment of its end.
        """
        traces.check_id(trace_id)
        found = traces.chosen(await self.traces.about(trace_id), trace_id)
        return TraceShown(trace_id=found.trace_id, spans=found.spans, linked=found.linked)
