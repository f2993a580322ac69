"""The volumes, as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.volume.service.catalog import Catalog


class VolumeMetrics(Collector):
    """Counts the volumes and their mounts when it is asked."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        volumes = self._catalog.all()
        held = {one.name: len(self._catalog.holders(one.name)) for one in volumes}
        mounts = Counter[str]()
        for one in volumes:
            mounts[one.driver] += held[one.name]
        counts = Counter(one.driver for one in volumes)
        yield _by_driver("wherry_volumes", "Volumes that were created here, by driver.", counts)
        yield _by_driver("wherry_volume_mounts", "Owners that have a volume mounted.", mounts)


def _by_driver(name: str, text: str, counts: Counter[str]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["driver"])
    for driver in sorted(counts):
        family.add_metric([driver], counts[driver])
    return family
