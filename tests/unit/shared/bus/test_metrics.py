"""What the bus counts."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram

from shared import errdefs
from shared.bus import metrics


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "ok"), (errdefs.Conflict("no"), "conflict"), (RuntimeError("bug"), "fault")],
)
def test_handling_is_counted_by_type_and_outcome(error: Exception | None, outcome: str) -> None:
    """The error's code is the label; what is no error of ours is a fault."""
    registry = CollectorRegistry()
    seconds = Histogram("took", "How long.", ["type", "outcome"], registry=registry)

    with metrics.timed(seconds, "store.plugin.enable.v1") as timing:
        timing.error = error

    labels = {"type": "store.plugin.enable.v1", "outcome": outcome}
    assert registry.get_sample_value("took_count", labels) == 1.0
