"""What is told of the programs that the executor runs: how long each call took, and its span."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

from services.executor.adapters.metrics import RUNC_SECONDS
from shared.telemetry.spans import Opened, opened

_tracer = trace.get_tracer("wherry.executor")


@contextmanager
def of_runc(command: str, container_id: str) -> Iterator[None]:
    """Time a call of runc, and open its span."""
    with spanned(f"runc {command}", container_id), RUNC_SECONDS.labels(command).time():
        yield


def spanned(name: str, container_id: str) -> Opened:
    """Open the span of a part of such a call."""
    return opened(_tracer, name, attributes={"container.id": container_id})
