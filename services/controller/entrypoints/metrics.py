"""What the controller looks after, as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.controller.service.service import Controller
from shared.contracts.node import NodeState


class ControllerMetrics(Collector):
    """Counts when it is asked."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        is_active = self._controller.leadership.is_active
        yield GaugeMetricFamily(
            "wherry_controller_active",
            "1 where the fleet's active controller is, 0 where one stands by.",
            value=int(is_active),
        )
        counts = Counter(node.state for node in self._controller.nodes.all() if is_active)
        nodes = GaugeMetricFamily(
            "wherry_nodes", "Nodes by state, told by the active controller.", labels=["state"]
        )
        for state in NodeState if is_active else ():
            nodes.add_metric([state], counts[state])
        yield nodes
