"""The executor's containers, as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.executor.service.executor import Executor
from shared.contracts.executor import ContainerStatus


class ContainerMetrics(Collector):
    """Counts the containers when it is asked."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        family = GaugeMetricFamily(
            "wherry_containers", "Containers of the node, by what is observed.", labels=["status"]
        )
        found = Counter(container.status for container in self._executor.containers())
        for status in ContainerStatus:
            family.add_metric([status], found[status])
        yield family
