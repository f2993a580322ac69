"""Which traces are recorded, unless OTEL_TRACES_SAMPLER says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

#: What nobody asked for begins with one of these: renewed leases, lists that are compared.
_BACKGROUND: Final = frozenset({SpanKind.PRODUCER, SpanKind.CLIENT})


class _Asked(Sampler):
    """Follows the span above; of traces that begin here, drops what services do by themselves.

    What a recorded trace led to, by a link, is no such thing.

    The SDK's own, of which one asks another, cost twice as much, with each span.
    """

    def __init__(self, *, has_background: bool) -> None:
        self._has_background = has_background

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide by the span above, or else by how the trace begins."""
        above = trace.get_current_span(parent_context).get_span_context()
        if above.is_valid:
            is_kept = above.trace_flags.sampled
        else:
            is_kept = self._has_background or kind not in _BACKGROUND or _is_caused(links)
        if not is_kept:
            return SamplingResult(Decision.DROP, None, above.trace_state)
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, above.trace_state)

    def get_description(self) -> str:
        """Name it."""
        return "Asked"


def _is_caused(links: Sequence[Link] | None) -> bool:
    return any(link.context.trace_flags.sampled for link in links or ())


def foreground() -> Sampler:
    """Return a sampler that keeps what somebody would look for: requests, jobs, handled facts."""
    return _Asked(has_background=False)


def everything() -> Sampler:
    """Return a sampler that keeps also what services ask one another by themselves."""
    return _Asked(has_background=True)
