"""The page of metrics says what is counted."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from services.controller.entrypoints.metrics import ControllerMetrics
from services.executor.entrypoints.metrics import ContainerMetrics
from services.store.entrypoints.metrics import InventoryMetrics
from services.store.service.inventory import PluginInventory
from services.volume.entrypoints.metrics import VolumeMetrics
from shared.contracts.executor import HealthStatus
from shared.contracts.node import Heartbeat
from shared.contracts.volume import CreateVolume
from tests.support.controller import ControllerWorld
from tests.support.store import FakeRecords, StoreUnderTest, delivery
from tests.support.volume import VolumeWorld

_REPOSITORY = Path(__file__).parents[3]
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\|", re.MULTILINE)
#: Name, type, labels.
Row = tuple[str, str, tuple[str, ...]]
_UP: Row = ("wherry_service_up", "gauge", ())


class NoContainers:
    """An executor that runs nothing."""

    def containers(self) -> tuple[()]:
        """Return nothing."""
        return ()


def described() -> set[Row]:
    """Return the rows of the page's tables."""
    page = (_REPOSITORY / "docs" / "reference" / "metrics.md").read_text()
    return {
        _row(name, kind, filter(None, labels.strip().split(", ")))
        for name, kind, labels in _ROW.findall(page)
    }


def counted() -> Iterator[Row]:
    """Yield a row for each metric that a module called metrics counts."""
    for path in _REPOSITORY.glob("s*/**/metrics.py"):
        module = ".".join(path.relative_to(_REPOSITORY).with_suffix("").parts)
        for found in vars(importlib.import_module(module)).values():
            if isinstance(found, MetricWrapperBase):
                name = found._name + ("_total" if found._type == "counter" else "")
                yield _row(name, found._type or "", found._labelnames)


def _row(name: str, kind: str, labels: Iterable[str]) -> Row:
    return name, kind, tuple(sorted(labels))


async def observed() -> list[Row]:
    """Return a row for each metric that is computed when it is asked for."""
    store = StoreUnderTest()
    plugin = await store.install()
    healthy = plugin.status.model_copy(update={"health": HealthStatus.HEALTHY})
    records = FakeRecords()
    records.plugins[plugin.plugin_id] = plugin.model_copy(update={"status": healthy})
    inventory = PluginInventory(records, committed=lambda: None)
    await inventory.load()
    executor: Any = NoContainers()
    found = []
    world = VolumeWorld()
    await world.service.volumes.create(CreateVolume(name="v"), delivery())
    volumes = VolumeMetrics(world.service.catalog)
    async with ControllerWorld() as controlled:
        await controlled.ask(Heartbeat(node="n1", version="1"))
        fleet = list(ControllerMetrics(controlled.controller).collect())
    collectors = (InventoryMetrics(inventory), ContainerMetrics(executor), volumes)
    for metric in (*fleet, *(one for collector in collectors for one in collector.collect())):
        sample = metric.samples[0]
        found.append(_row(sample.name, metric.type, sample.labels))
    return found


async def test_page_of_metrics_names_each_that_is_counted() -> None:
    """Who adds a metric adds it to the page, with its type and its labels."""
    assert described() == {*counted(), *await observed(), _UP}


def test_names_are_prometheus_own() -> None:
    """Ours begin with wherry_, dockerd's with engine_daemon_; times are in seconds."""
    names = {name for name, _, _ in described()}

    assert all(name.startswith(("wherry_", "engine_daemon_")) for name in names)
    assert not any(name.endswith(("_ms", "_ns")) for name in names)
    assert REGISTRY.get_sample_value("process_cpu_seconds_total") is not None
