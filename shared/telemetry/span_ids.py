"""Ids of spans as the SDK asks for them."""

from __future__ import annotations

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from shared.telemetry.lasting import chosen_id


class SpanIds(RandomIdGenerator):
    """Ids for spans: of one that was begun earlier, its own; of the others, by chance."""

    def generate_span_id(self) -> int:
        """Return an id."""
        return chosen_id.get() or super().generate_span_id()
