"""The text that Prometheus reads."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from shared.metrics import exposition


def registry() -> CollectorRegistry:
    """Return a process's metrics."""
    made = CollectorRegistry()
    Counter("wherry_done", "What was done.", ["kind"], registry=made).labels("a").inc(2)
    Gauge("engine_daemon_engine_cpus_cpus", "The cpus", registry=made).set(4)
    Histogram("wherry_seconds", "How long.", buckets=(1,), registry=made).observe(0.5)
    return made


def samples(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    """Return the samples of a metric, which must be described once."""
    (family,) = (f for f in text_string_to_metric_families(text) if f.name == name)
    return [(sample.labels, sample.value) for sample in family.samples]


def test_each_sample_says_whose_it_is_and_dockerds_keep_their_labels() -> None:
    """Ours have the service as a label; those with dockerd's names look as dockerd's."""
    text = exposition.of_service("store", registry())

    assert samples(text, "wherry_done") == [({"service": "store", "kind": "a"}, 2.0)]
    assert samples(text, "engine_daemon_engine_cpus_cpus") == [({}, 4.0)]
    assert "_created" not in text


def test_showing_twice_shows_the_same() -> None:
    """What is labelled for one answer is labelled once in the next."""
    made = registry()

    assert exposition.of_service("store", made) == exposition.of_service("store", made)


def test_metrics_that_several_services_have_are_described_once() -> None:
    """Merged texts are valid: the samples of one name lie together."""
    text = exposition.merged(exposition.of_service(name, registry()) for name in ("a", "b"))

    assert {labels["service"] for labels, _ in samples(text, "wherry_done")} == {"a", "b"}
    assert text.count("# TYPE wherry_seconds histogram") == 1
    assert text.count("wherry_seconds_count") == 2


def test_nothing_is_nothing() -> None:
    """A node without services has an empty text."""
    assert exposition.merged([]) == ""
