"""Metrics of a whole node, and the plugins that collect them."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.metrics_plugin import MetricsPlugin
from tests.support.node import SERVICES, Node, eventually
from tests.support.plugin_context import Contexts

#: One of dockerd's own, and one that each service has.
_KNOWN = ("engine_daemon_engine_info{", "engine_daemon_container_actions_seconds")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> MetricsPlugin:
    """Compile the plugin once."""
    return MetricsPlugin(tmp_path_factory.mktemp("metrics-plugin"))


@pytest.fixture
def collecting(node: Node, built: MetricsPlugin) -> MetricsPlugin:
    """Enable the plugin and wait until it was told to start."""
    node.create("metrics", built.context())
    node.enable("metrics")
    eventually(lambda: built.ask().status_code == 200, "the plugin was told to start")
    return built


def test_f17_metrics_plugin_gets_the_socket_and_serves_a_known_metric(
    node: Node, collecting: MetricsPlugin
) -> None:
    """The plugin finds /run/docker/metrics.sock, is told to start, and passes the metrics on."""
    answer = collecting.ask()

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert all(known in answer.text for known in _KNOWN)
    inside = f"/proc/{node.status('metrics')['pid']}/root/run/docker/metrics.sock"
    with httpx.Client(transport=httpx.HTTPTransport(uds=inside)) as client:
        assert client.get("http://node/metrics").status_code == 200


def test_metrics_plugin_reads_on_when_the_event_service_was_killed(
    node: Node, collecting: MetricsPlugin
) -> None:
    """The plugin runs on, and its socket leads to the service that came after."""
    pid = node.status("metrics")["pid"]
    node.kill("event")
    node.wait_healthy()

    eventually(lambda: collecting.ask().status_code == 200, "the socket answers again")
    assert node.status("metrics")["pid"] == pid


def test_metrics_plugin_is_told_to_stop_before_it_is_stopped(
    node: Node, collecting: MetricsPlugin
) -> None:
    """Disable calls StopMetrics while the plugin still answers; another start is told again."""
    node.disable("metrics")
    assert [line["text"] for line in node.get("/wherry/v1/plugins/metrics/logs")["lines"]] == [
        "started",
        "stopped",
    ]

    node.enable("metrics")
    eventually(lambda: collecting.ask().status_code == 200, "the plugin was told to start")


def test_plugin_that_crashed_is_told_to_start_again(node: Node, collecting: MetricsPlugin) -> None:
    """A restart is a start as any other."""
    pid = node.status("metrics")["pid"]
    os.kill(pid, signal.SIGKILL)

    eventually(lambda: node.status("metrics")["pid"] not in (None, pid), "it was restarted")
    eventually(lambda: _status_of(collecting) == 200, "the plugin was told to start")


def test_plugins_of_other_capabilities_get_no_socket(node: Node, contexts: Contexts) -> None:
    """The socket is for metrics plugins alone."""
    node.create("other", contexts.tar())
    pid = node.enable("other")["pid"]

    seen = Path(f"/proc/{pid}/root/run/docker").iterdir()
    assert [path.name for path in seen] == ["plugins"]


def test_registrations_are_shown(node: Node) -> None:
    """An operator sees which service handles what, and what it gives to plugins."""
    shown = node.get("/wherry/v1/registrations")

    (handler,) = (h for h in shown["handlers"] if h["key"]["capability"] == "metricscollector")
    assert (handler["consumer"], handler["required"]) == ("event", False)
    (option,) = (o for o in shown["options"] if o["key"]["capability"] == "metricscollector")
    assert option["links"] == [
        {"path": "/run/docker/metrics.sock", "target": "metrics/metrics.sock"}
    ]


def test_node_s_metrics_are_those_of_all_services(node: Node, contexts: Contexts) -> None:
    """One text, readable for Prometheus, has each metric once, with the services as labels."""
    node.create("counted", contexts.tar())
    node.enable("counted")

    text = node.http.get("/wherry/v1/metrics").text

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families) == len(re.findall("^# TYPE ", text, re.MULTILINE))
    up = {s.labels["service"]: s.value for s in families["wherry_service_up"].samples}
    assert up == dict.fromkeys(SERVICES, 1.0)
    (plugin,) = (
        s for s in families["wherry_plugin_up"].samples if s.labels["plugin"] == "counted:latest"
    )
    assert (plugin.labels["service"], plugin.value) == ("store", 1.0)
    commands = families["wherry_bus_command_duration_seconds"].samples
    assert {"store", "executor", "event"} <= {sample.labels["service"] for sample in commands}


def test_metrics_are_shown_on_their_own_address(node: Node) -> None:
    """A Prometheus finds the node's metrics where dockerd shows its own, and no API beside them."""
    address = f"http://{node.environment['WHERRY_METRICS_ADDRESS']}"

    shown = httpx.get(f"{address}/metrics")

    assert shown.status_code == 200
    assert 'wherry_service_up{service="gateway"} 1' in shown.text
    assert httpx.get(f"{address}/plugins").status_code == 404


def test_service_that_is_away_is_shown_as_down(node: Node) -> None:
    """What one service counted is missing, and everything else is there."""
    socket = node.exec_root / "metrics" / "nobody.sock"
    socket.touch()
    try:
        text = node.http.get("/wherry/v1/metrics").text
    finally:
        socket.unlink()

    assert 'wherry_service_up{service="nobody"} 0' in text
    assert 'wherry_service_up{service="store"} 1' in text


def _status_of(plugin: MetricsPlugin) -> int:
    try:
        return plugin.ask().status_code
    except httpx.TransportError:
        return 0  # between its end and its start
