"""A panel of a dashboard, in Grafana's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: Uids of the data sources, as they are provisioned.
PROMETHEUS: Final = {"type": "prometheus", "uid": "wherry-prometheus"}
TEMPO: Final = {"type": "tempo", "uid": "wherry-tempo"}
LOKI: Final = {"type": "loki", "uid": "wherry-loki"}
#: Of a dashboard's width, which is 24.
THIRD: Final = 8
HALF: Final = 12
WHOLE: Final = 24

Query = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What one panel shows; its place is the dashboard's to say."""

    title: str
    kind: str
    source: dict[str, str]
    targets: Sequence[dict[str, Any]]
    unit: str = "short"
    width: int = HALF
    height: int = 8
    description: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    #: Grafana's words for one field, such as thresholds.
    defaults: dict[str, Any] = field(default_factory=dict)

    def to_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return it as Grafana has it."""
        return {
            "id": number,
            "title": self.title,
            "description": self.description,
            "type": self.kind,
            "datasource": self.source,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": {"unit": self.unit, **self.defaults}, "overrides": []},
            "options": self.options,
            "targets": list(self.targets),
        }


def graph(title: str, *queries: Query, unit: str = "short", description: str = "") -> Panel:
    """Return curves over time: an expression and a legend for each query."""
    return Panel(
        title=title,
        kind="timeseries",
        source=PROMETHEUS,
        targets=[_asked(number, *query) for number, query in enumerate(queries)],
        unit=unit,
        description=description,
        options={
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull"]}
        },
    )


def figures(
    title: str,
    *queries: Query,
    unit: str = "short",
    bad_from: float | None = None,
    width: int = THIRD,
) -> Panel:
    """Return the newest values as large figures, red from *bad_from* on."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if bad_from is not None:
        steps.append({"color": "red", "value": bad_from})
    return Panel(
        title=title,
        kind="stat",
        source=PROMETHEUS,
        targets=[_asked(number, *query, is_instant=True) for number, query in enumerate(queries)],
        unit=unit,
        width=width,
        height=5,
        defaults={"thresholds": {"mode": "absolute", "steps": steps}},
        options={"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "auto"},
    )


def states(title: str, query: Query, *, zero: str, one: str, width: int = HALF) -> Panel:
    """Return what is 0 or 1 over time, in words: a bad one and a good one."""
    words = {
        "0": {"text": zero, "color": "red", "index": 0},
        "1": {"text": one, "color": "green", "index": 1},
    }
    return Panel(
        title=title,
        kind="state-timeline",
        source=PROMETHEUS,
        targets=[_asked(0, *query)],
        width=width,
        defaults={"mappings": [{"type": "value", "options": words}]},
        options={"showValue": "never", "mergeValues": True},
    )


def traces(title: str, query: str, *, description: str = "") -> Panel:
    """Return a table of traces that TraceQL finds; each line opens one."""
    target = {
        "refId": "A",
        "datasource": TEMPO,
        "queryType": "traceql",
        "query": query,
        "tableType": "traces",
        "limit": 20,
    }
    return Panel(
        title=title,
        kind="table",
        source=TEMPO,
        targets=[target],
        width=WHOLE,
        description=description,
    )


def logs(title: str, query: str) -> Panel:
    """Return log lines that LogQL finds; their trace ids open traces."""
    return Panel(
        title=title,
        kind="logs",
        source=LOKI,
        targets=[{"refId": "A", "datasource": LOKI, "expr": query}],
        width=WHOLE,
        options={"showTime": True, "wrapLogMessage": True, "sortOrder": "Descending"},
    )


def _asked(number: int, expr: str, legend: str, *, is_instant: bool = False) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + number),
        "datasource": PROMETHEUS,
        "expr": expr,
        "legendFormat": legend,
        "instant": is_instant,
        "range": not is_instant,
    }
