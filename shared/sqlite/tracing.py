"""A span per transaction and per query, by OpenTelemetry's conventions for databases.

Below another span alone: what a service reads and writes by itself is no trace.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from shared.telemetry.spans import opened

_tracer = trace.get_tracer("wherry.sqlite")
_NOTHING = nullcontext()


def writing(database: str) -> AbstractContextManager[object]:
    """Open the span of a transaction, from its being asked for until it is on disk."""
    return _opened("transaction", database)


def reading(database: str) -> AbstractContextManager[object]:
    """Open the span of a query, from its being asked for until its rows are here."""
    return _opened("query", database)


def _opened(what: str, database: str) -> AbstractContextManager[object]:
    # Not whether it is open here: a batch's span, say, is told by whoever ends it.
    if not trace.get_current_span().get_span_context().trace_flags.sampled:
        return _NOTHING
    return opened(
        _tracer,
        f"{what} {database}",
        kind=SpanKind.CLIENT,
        attributes={"db.system.name": "sqlite", "db.namespace": database},
    )
