"""What the controller looks after, as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.controller.service.service import Controller
from shared.contracts.batch import BatchState, ItemState
from shared.contracts.node import NodeState
from shared.contracts.swarm import TaskState


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
        yield self._batches(is_active=is_active)
        yield self._plugins(is_active=is_active)
        yield from self._services(is_active=is_active)

    def _services(self, *, is_active: bool) -> Iterator[Metric]:
        ledger = self._controller.services.ledger
        services = GaugeMetricFamily(
            "wherry_services", "Services of plugins, told by the active controller.", labels=[]
        )
        tasks = GaugeMetricFamily(
            "wherry_service_tasks", "Tasks of services that are kept, by state.", labels=["state"]
        )
        if is_active:
            services.add_metric([], len(ledger.services()))
            counts = Counter(one.task.status.state for one in ledger.tasks())
            for state in TaskState:
                tasks.add_metric([state], counts[state])
        yield services
        yield tasks

    def _batches(self, *, is_active: bool) -> Metric:
        family = GaugeMetricFamily(
            "wherry_batches", "Batches that are kept, by state.", labels=["state"]
        )
        counts = Counter(record.state for record in self._controller.batches.book.all())
        for state in BatchState if is_active else ():
            family.add_metric([state], counts[state])
        return family

    def _plugins(self, *, is_active: bool) -> Metric:
        family = GaugeMetricFamily(
            "wherry_batch_plugins",
            "Plugins of batches that are not over, by how far each is.",
            labels=["state"],
        )
        book = self._controller.batches.book
        going_on = [record for record in book.all() if not record.is_over]
        counts = Counter(item.state for one in going_on for item in book.items(one.batch_id))
        for state in ItemState if is_active else ():
            family.add_metric([state], counts[state])
        return family
