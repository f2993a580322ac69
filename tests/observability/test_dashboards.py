"""Every expression of dashboards and alerts, put to a real Prometheus that reads a real node."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.catalog import DASHBOARDS
from tests.observability.conftest import PLUGIN, Watched

_REPOSITORY = Path(__file__).parents[2]
_DEPLOY = _REPOSITORY / "deploy"
_DATA_SOURCES = _DEPLOY / "grafana" / "provisioning" / "datasources" / "wherry.yaml"
_RULES = _DEPLOY / "prometheus" / "wherry.rules.yml"
#: `value compared with number`, as each alert is written.
_ALERT = re.compile(r"(?P<value>.*) [<>] (?P<limit>[0-9.]+)", re.DOTALL)
_ATTRIBUTE = re.compile(r"\b(span|resource)\.([a-z_][a-z0-9_.]*)")
_NAME = re.compile(r'(?<![.\w])name = "([^"]+)"')
_FIELD = re.compile(r"\| json \| (.*)")


def targets(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each question to a kind of data source, with where it stands."""
    for dashboard in DASHBOARDS:
        shown = json.loads((_DEPLOY / "grafana/dashboards" / f"{dashboard.uid}.json").read_text())
        for panel in shown["panels"]:
            if panel["datasource"]["type"] == kind:
                for target in panel["targets"]:
                    yield f"{shown['title']}: {panel['title']}", target


def expressions() -> list[Any]:
    """Return each expression of a dashboard, and of a way from a trace to metrics."""
    found = [(where, target["expr"]) for where, target in targets("prometheus")]
    linked = re.findall(r"^ +query: '(.*__tags.*)'$", _DATA_SOURCES.read_text(), re.MULTILINE)
    assert linked
    found += [("from a trace", expr.replace("{$$__tags}", "")) for expr in linked]
    return [pytest.param(expr, id=f"{where} {n}") for n, (where, expr) in enumerate(found)]


def filled(expr: str) -> str:
    """Return an expression as Grafana asks it: with its variables' values."""
    named = expr.replace("$node", ".*").replace("$plugin", f"{PLUGIN}:latest")
    return named.replace("$__rate_interval", "5m")


@pytest.mark.parametrize("expr", expressions())
def test_an_expression_of_a_dashboard_returns_data(watched: Watched, expr: str) -> None:
    """It is evaluated, and the panel is not empty."""
    assert watched.prometheus.query(filled(expr)), expr


def test_the_variables_have_values(watched: Watched) -> None:
    """What a person may choose at the top is there to choose."""
    for dashboard in DASHBOARDS:
        for variable in dashboard.variables:
            series = watched.prometheus.query(variable.series)
            assert all(variable.label in one["metric"] for one in series)
            assert series


def test_each_alert_has_a_value_to_compare(watched: Watched) -> None:
    """It is read by Prometheus, what it compares is there, and it says what to do."""
    alerts = watched.prometheus.alerts()
    runbooks = (_REPOSITORY / "docs" / "runbooks.md").read_text()

    assert {alert["health"] for alert in alerts} <= {"ok", "unknown"}
    for alert in alerts:
        compared = _ALERT.fullmatch(alert["query"])
        assert compared, alert["query"]
        assert watched.prometheus.query(compared["value"]), alert["name"]
        assert alert["annotations"]["runbook"] == f"docs/runbooks.md#{alert['name'].lower()}"
        assert f"\n## {alert['name']}\n" in runbooks
        assert alert["annotations"]["summary"]
        assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(re.findall(r"^## (\w+)$", runbooks, re.MULTILINE)) == {a["name"] for a in alerts}


def test_promtool_takes_rules_and_configuration() -> None:
    """So does the Prometheus of whoever uses them."""
    for check, path in (("rules", _RULES), ("config", _DEPLOY / "prometheus" / "prometheus.yml")):
        done = subprocess.run(
            ["promtool", "check", check, str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should() -> None:
    """Each alert is played: it fires once it is time, not before, and for nobody else."""
    path = _DEPLOY / "prometheus" / "wherry.tests.yml"
    played = re.findall(r"^  - name: (\w+)$", path.read_text(), re.MULTILINE)
    assert played == re.findall(r"- alert: (\w+)", _RULES.read_text())
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_trace_queries_name_only_what_is_sent(watched: Watched) -> None:
    """Attributes, names and services that no span has would find nothing, for ever."""
    spans = watched.collector.spans
    sent = {("span", name) for span in spans for name in span.attributes}
    sent |= {("resource", name) for span in spans for name in span.resource}
    names, services = {span.name for span in spans}, {span.service for span in spans}

    queries = [(where, target["query"]) for where, target in targets("tempo")]
    assert queries
    for where, query in queries:
        assert set(_ATTRIBUTE.findall(query)) <= sent, where
        assert set(_NAME.findall(query)) <= names, where
        assert set(re.findall(r'"(wherry-\w+)"', query)) <= services, where


def test_the_ways_from_a_trace_name_only_what_is_sent(watched: Watched) -> None:
    """Tags that become labels are attributes of spans, and labels of those metrics."""
    text = _DATA_SOURCES.read_text()
    sent = {name for span in watched.collector.spans for name in span.attributes}

    tags = re.findall(r"- key: (\S+)\n +value: (\S+)", text)
    assert tags
    assert {key for key, _ in tags} <= sent
    assert "trace_id" in watched.lines[-1] or any("trace_id" in line for line in watched.lines)


def test_log_queries_name_only_fields_that_lines_have(watched: Watched) -> None:
    """Each field that a query looks at stands in some line of the node's log."""
    fields = {name for line in watched.lines for name in line}

    for where, target in targets("loki"):
        (looked_at,) = _FIELD.findall(target["expr"])
        assert set(re.findall(r"(\w+)=", looked_at)) <= fields, where
