"""Spans recorded for one test, by the one tracer provider that a process can be given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider, Span, Tracer

from shared.telemetry.span_ids import SpanIds

_OFF = NoOpTracerProvider()


class _Switch(trace.TracerProvider):
    """Gives tracers that record while a test does, and otherwise do nothing."""

    def __init__(self) -> None:
        self.provider: trace.TracerProvider = _OFF

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        """Return a tracer for good."""
        return _Tracer(self, *args, **kwargs)


class _Tracer(Tracer):
    def __init__(self, switch: _Switch, *args: Any, **kwargs: Any) -> None:
        self._switch, self._args, self._kwargs = switch, args, kwargs

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        return self._now().start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        return self._now().start_as_current_span(*args, **kwargs)

    def _now(self) -> Tracer:
        return self._switch.provider.get_tracer(*self._args, **self._kwargs)


@cache
def _switch() -> _Switch:
    switch = _Switch()
    trace.set_tracer_provider(switch)
    return switch


@contextmanager
def recorded() -> Iterator[InMemorySpanExporter]:
    """Record the spans that end in this block."""
    switch, exporter = _switch(), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False, id_generator=SpanIds())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    switch.provider = provider
    try:
        yield exporter
    finally:
        switch.provider = _OFF
        provider.shutdown()
