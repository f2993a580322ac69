"""What traces cost an enable, and how much of it they explain.

A node with them and one without, in turns; the one with them keeps them, and sends them to a
receiver in this process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from deploy.demo.otlp import Receiver
from services.cli.domain.trace import ShownTrace
from tests.bench.api import Api
from tests.bench.record import quantile
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side

_ENABLES, _QUICK_ENABLES = 50, 3
_NAME = "bench/traced:latest"
#: Spans are written down a moment after they have ended, in the turn of the node whose they are.
_REST_S = 0.5
_COST, _UNEXPLAINED = "enable, with traces for each without", "enable, that no span explains"


def _measure(run: Run) -> None:
    wherry = next(side for side in run.sides if side.name == "wherry")
    count = _QUICK_ENABLES if run.is_quick else _ENABLES
    with (
        Receiver() as receiver,
        run.another_node(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint) as traced,
        run.another_node(OTEL_SDK_DISABLED="true") as untraced,
    ):
        times: dict[Side, list[float]] = {traced: [], untraced: []}
        for side in times:
            with side.api() as api:
                api.create(_NAME, run.contexts.small(_NAME))
        for number in range(count):
            # Whoever is second finds a warmer machine.
            for side in (traced, untraced) if number % 2 else (untraced, traced):
                times[side].append(_enable_ms(side))
        quotient = quantile(times[traced], 0.5) / quantile(times[untraced], 0.5)
        run.record.add(_COST, wherry, [quotient])
        with traced.api() as api:
            run.record.add(_UNEXPLAINED, wherry, list(_unexplained(api, count)))


def _enable_ms(side: Side) -> float:
    with side.api() as api:
        began = time.perf_counter()
        api.enable(_NAME)
        took_ms = 1000 * (time.perf_counter() - began)
        api.disable(_NAME)
    time.sleep(_REST_S)
    side.settle()
    return took_ms


def _unexplained(api: Api, count: int) -> Iterator[float]:
    """Yield of each enable the share of its critical path, in percent, that no span explains."""
    listed = json.loads(api.request("GET", "/wherry/v1/traces?limit=1000"))["traces"]
    enables = [root for root in listed if root["name"] == "POST /plugins/{name}/enable"]
    for root in enables[:count]:
        body = json.loads(api.request("GET", f"/wherry/v1/traces/{root['trace_id']}"))
        trace = ShownTrace.from_json(body).trace
        whole_ns = sum(part.took_ns for part in trace.critical_path())
        yield 100 * sum(part.took_ns for part in trace.unexplained()) / whole_ns


GROUP = Group(
    name="tracing",
    rows=(Row(name=_COST, unit="x"), Row(name=_UNEXPLAINED, unit="%")),
    measure=_measure,
)
