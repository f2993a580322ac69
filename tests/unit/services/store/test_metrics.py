"""The inventory as metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from services.store.entrypoints.metrics import FACTS, InventoryMetrics
from shared.contracts.job import BeginJob, JobKind, JobRequest
from shared.contracts.store import EnablePlugin
from tests.support.store import StoreUnderTest, delivery


async def test_plugins_and_jobs_are_counted_as_they_are() -> None:
    """Each state has its number, and each plugin says whether it is wished and whether it runs."""
    store = StoreUnderTest()
    registry = CollectorRegistry()
    registry.register(InventoryMetrics(store.inventory))
    await store.install("off")
    await store.install("on")
    await store.lifecycle.enable(EnablePlugin(name="on"), delivery())
    wish = JobRequest(kind=JobKind.PULL, name="new:latest", remote="docker.io/new:latest")
    await store.jobs.begin(BeginJob(job_id="j", request=wish), delivery())

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("wherry_plugins", state="running") == 1
    assert value("wherry_plugins", state="stopped") == 1
    assert value("wherry_plugins", state="restarting") == 0
    assert value("wherry_plugin_enabled", plugin="on:latest") == 1
    assert value("wherry_plugin_up", plugin="off:latest") == 0
    assert value("wherry_plugin_starts_total", plugin="on:latest") == 1
    assert value("wherry_jobs", kind="pull", state="queued") == 1
    assert value("wherry_jobs", kind="push", state="queued") == 0


async def test_what_happens_is_counted_by_action() -> None:
    """A fact that is committed counts once, under the word before a colon."""
    store = StoreUnderTest()
    InventoryMetrics(store.inventory)
    await store.install("p")
    before = FACTS.labels("enable")._value.get()

    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())

    assert FACTS.labels("enable")._value.get() == before + 1
