"""What the gateway counts, and what dockerd says of itself under the same names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from services.gateway.domain import api_version
from services.gateway.domain.system_info import Engine
from shared import errdefs
from shared.version import VERSION

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})

REQUEST_SECONDS = Histogram(
    "wherry_http_request_duration_seconds",
    "Requests, by route and status, until the last byte; 499 is a client that hung up.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
ENGINE_INFO = Gauge(
    "engine_daemon_engine_info",
    "The information related to the engine and the OS it is running on",
    [
        *("version", "commit", "architecture", "graphdriver", "kernel", "os", "os_type"),
        *("os_version", "daemon_id"),
    ],
)
ENGINE_CPUS = Gauge("engine_daemon_engine_cpus_cpus", "The number of cpus that the host has")
ENGINE_MEMORY = Gauge("engine_daemon_engine_memory_bytes", "The bytes of memory the host has")
SUBSCRIBERS = Gauge(
    "engine_daemon_events_subscribers_total", "The number of current subscribers to events"
)
CHANGES_IN_HAND = Gauge("wherry_changes_in_hand", "Changes that are being made for clients.")
CHANGES_WAITING = Gauge("wherry_changes_waiting", "Changes that wait for their client's turn.")
CHANGES_REFUSED = Counter(
    "wherry_changes_refused",
    "Changes that were refused: resource_exhausted, too many of one client; unavailable, of all.",
    ["reason"],
)
# No containers run here yet, so these stay at zero; dashboards made for dockerd look for them.
CONTAINER_STATES = Gauge(
    "engine_daemon_container_states_containers",
    "The count of containers in various states",
    ["state"],
)
CONTAINER_ACTIONS = Histogram(
    "engine_daemon_container_actions_seconds",
    "The number of seconds it takes to process each container action",
    ["action"],
)


def observe(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count a request; names that are a client's own are no labels."""
    known = method if method in _METHODS else "other"
    REQUEST_SECONDS.labels(known, route or "none", str(status)).observe(seconds)


def describe_admission(in_hand: Callable[[], int], waiting: Callable[[], int]) -> None:
    """Have changes counted when somebody asks."""
    CHANGES_IN_HAND.set_function(in_hand)
    CHANGES_WAITING.set_function(waiting)
    for reason in (errdefs.ResourceExhausted.code, errdefs.Unavailable.code):
        CHANGES_REFUSED.labels(reason)


def describe(engine: Engine, listeners: Callable[[], int]) -> None:
    """Say what does not change, and have the readers of events counted when somebody asks."""
    host = engine.host
    ENGINE_INFO.labels(
        version=api_version.ENGINE,
        commit=f"wherry-{VERSION}",
        architecture=host.machine,
        graphdriver="",
        kernel=host.kernel_version,
        os=host.operating_system,
        os_type="linux",
        os_version=host.os_version,
        daemon_id=engine.engine_id,
    ).set(1)
    ENGINE_CPUS.set(host.cpus)
    ENGINE_MEMORY.set(host.memory_bytes)
    SUBSCRIBERS.set_function(listeners)
    for state in ("running", "paused", "stopped"):
        CONTAINER_STATES.labels(state).set(0)
    for action in ("changes", "commit", "create", "delete", "start"):
        CONTAINER_ACTIONS.labels(action)
