"""Which traces a node keeps for itself alone: those that somebody would look for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

#: What nobody asked for begins with one of these: renewed leases, lists that are compared.
_BACKGROUND: Final = frozenset({SpanKind.PRODUCER, SpanKind.CLIENT})


class _Foreground(Sampler):
    """Keeps requests, jobs and handled facts; drops what services ask one another by themselves."""

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
        """Decide by how the trace begins."""
        decision = Decision.DROP if kind in _BACKGROUND else Decision.RECORD_AND_SAMPLE
        return SamplingResult(decision)

    def get_description(self) -> str:
        """Name it."""
        return "Foreground"


def foreground() -> Sampler:
    """Return a sampler that follows the parent's decision, and of roots keeps the foreground."""
    return ParentBased(root=_Foreground())
