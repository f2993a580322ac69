"""The text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    REGISTRY,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
#: The metrics that dockerd has; they get no label of ours.
_DOCKERS = "engine_daemon_"
_HELP = "# HELP "

# When each counter began is a series more per counter, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client's


def of_service(service: str, registry: Collector = REGISTRY) -> str:
    """Return what this process has counted, each sample labelled with its service."""
    return generate_latest(_Labelled(registry, service)).decode()


def merged(texts: Iterable[str]) -> str:
    """Return several services' texts as one: a metric that several have is described once."""
    families: dict[str, list[str]] = {}
    for text in texts:
        for head, samples in _families(text):
            families.setdefault(head, []).append(samples)
    return "".join(f"{head}{''.join(samples)}" for head, samples in sorted(families.items()))


def _families(text: str) -> Iterator[tuple[str, str]]:
    """Yield each metric's two lines of description, and its samples."""
    for family in text.split(_HELP)[1:]:
        described, typed, *samples = family.splitlines(keepends=True)
        yield f"{_HELP}{described}{typed}", "".join(samples)


class _Labelled(Collector):
    """A registry's metrics with one more label."""

    def __init__(self, registry: Collector, service: str) -> None:
        self._registry = registry
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        for metric in self._registry.collect():
            if not metric.name.startswith(_DOCKERS):
                labels = {"service": self._service}
                metric.samples = [
                    sample._replace(labels={**labels, **sample.labels}) for sample in metric.samples
                ]
            yield metric
