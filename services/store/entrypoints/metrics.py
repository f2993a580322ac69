"""The inventory, as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Counter as Counted
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from services.store.service.inventory import PluginInventory
from shared.contracts.executor import HealthStatus
from shared.contracts.job import JobKind, JobState
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Changed

FACTS = Counted(
    "wherry_plugin_facts",
    "What happened to plugins, by action: die, restart, oom and the others of the event feed.",
    ["action"],
)


class InventoryMetrics(Collector):
    """Counts the plugins and the jobs when it is asked, and what happens when it does."""

    def __init__(self, inventory: PluginInventory) -> None:
        self._inventory = inventory
        inventory.on_commit(count_facts)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        plugins = sorted(self._inventory.all(), key=lambda plugin: plugin.name)
        yield _plugins(plugins)
        yield _each(plugins, "wherry_plugin_enabled", "Whether it is wished running.", _enabled)
        yield _each(plugins, "wherry_plugin_up", "Whether it runs and is ready.", _up)
        yield _each(
            plugins,
            "wherry_plugin_restarts_in_a_row",
            "Starts in a row that did not last.",
            lambda plugin: plugin.status.restarts,
        )
        yield _starts(plugins)
        yield _health(plugins)
        yield self._jobs()

    def _jobs(self) -> Metric:
        family = GaugeMetricFamily(
            "wherry_jobs", "Jobs of the last week, by kind and state.", labels=["kind", "state"]
        )
        found = self._inventory.job_counts()
        for kind in JobKind:
            for state in JobState:
                family.add_metric([kind, state], found[kind, state])
        return family


def count_facts(changed: Changed) -> None:
    """Count what a commit says that happened."""
    for change in changed.changes:
        for fact in change.facts:
            FACTS.labels(fact.action.partition(":")[0]).inc()


def _plugins(plugins: Iterable[Plugin]) -> Metric:
    family = GaugeMetricFamily(
        "wherry_plugins", "Plugins, by what is observed of them.", labels=["state"]
    )
    found = Counter(plugin.status.state for plugin in plugins)
    for state in PluginState:
        family.add_metric([state], found[state])
    return family


def _each(
    plugins: Iterable[Plugin], name: str, what: str, value: Callable[[Plugin], float]
) -> Metric:
    family = GaugeMetricFamily(name, what, labels=["plugin"])
    for plugin in plugins:
        family.add_metric([plugin.name], value(plugin))
    return family


def _enabled(plugin: Plugin) -> float:
    return float(plugin.enabled)


def _up(plugin: Plugin) -> float:
    return float(plugin.status.state is PluginState.RUNNING)


def _starts(plugins: Iterable[Plugin]) -> Metric:
    family = CounterMetricFamily(
        "wherry_plugin_starts", "How often it was ever started.", labels=["plugin"]
    )
    for plugin in plugins:
        family.add_metric([plugin.name], plugin.status.starts)
    return family


def _health(plugins: Iterable[Plugin]) -> Metric:
    family = GaugeMetricFamily(
        "wherry_plugin_healthy",
        "Whether its health checks succeed; plugins without checks are not shown.",
        labels=["plugin"],
    )
    for plugin in plugins:
        if plugin.status.health is not HealthStatus.NONE:
            is_healthy = plugin.status.health is HealthStatus.HEALTHY
            family.add_metric([plugin.name], float(is_healthy))
    return family
