"""What `wherry status` shows."""

from __future__ import annotations

import json

import pytest

from services.cli.domain.health import NodeHealth, ServiceHealth
from services.cli.domain.status import State, Status
from services.cli.domain.table import duration

_SECOND = 10**9


def _status(
    state: State, *services: ServiceHealth, plugins: dict[str, int] | None = None
) -> Status:
    return Status(
        node="n1",
        state=state,
        root="/r",
        exec_root="/x",
        socket="/x/s",
        log="/r/l",
        plugins=plugins,
        services=services,
    )


def test_text_of_a_running_node() -> None:
    """A row a service, columns below their headings, unknown values as a dash."""
    store = ServiceHealth(
        service="store",
        healthy=True,
        pid=12345,
        version="0.1.0",
        started_at_ns=100 * _SECOND,
        lag=0,
        pending=2,
    )
    event = ServiceHealth(service="event", healthy=False, message="it did not answer in time")
    status = _status(State.UNHEALTHY, store, event, plugins={"stopped": 1, "running": 2})

    assert status.to_text(165 * _SECOND).splitlines() == [
        "node       n1: not healthy",
        "socket     unix:///x/s",
        "root       /r",
        "exec root  /x",
        "log        /r/l",
        "plugins    3 (2 running, 1 stopped)",
        "",
        "SERVICE  STATE        PID    VERSION  UP    LAG  PENDING  MESSAGE",
        "store    healthy      12345  0.1.0    1m5s  0    2",
        "event    not healthy  -      -        -     -    -        it did not answer in time",
    ]


def test_text_of_a_node_that_is_down() -> None:
    """Without services there is no table, and plugins that nobody can count are not shown."""
    lines = _status(State.NOT_RUNNING).to_text(0).splitlines()

    assert lines[0] == "node       n1: not running"
    assert lines[-1] == "log        /r/l"


def test_no_plugins() -> None:
    """A node without plugins says so."""
    assert "plugins    none" in _status(State.HEALTHY, plugins={}).to_text(0)


def test_json() -> None:
    """Programs get the same, with null for what is not known."""
    service = ServiceHealth(service="store", healthy=None, pid=1)

    found = json.loads(_status(State.UNHEALTHY, service, plugins={"running": 1}).to_json())

    assert found["state"] == "not healthy"
    assert found["plugins"] == {"running": 1}
    assert (found["services"][0]["healthy"], found["services"][0]["lag"]) == (None, None)


@pytest.mark.parametrize(
    ("state", "exit_status"),
    [(State.HEALTHY, 0), (State.UNHEALTHY, 1), (State.NOT_RUNNING, 3)],
)
def test_exit_status(state: State, exit_status: int) -> None:
    """Scripts tell the three apart by the exit status."""
    assert _status(state).exit_status == exit_status


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (0, "0s"), (59, "59s"), (60, "1m0s"), (3725, "1h2m"), (273_600, "3d4h")],
)
def test_duration(seconds: int, text: str) -> None:
    """A duration is written with its two largest units."""
    assert duration(seconds) == text


def test_health_from_the_gateways_answer() -> None:
    """The gateway's report is read as it is written; a service that is silent has a reason."""
    answer = {
        "node": "n1",
        "healthy": False,
        "services": [
            {"service": "gateway", "healthy": True, "reason": "", "pid": 1, "version": "0.1.0"},
            {"service": "store", "healthy": False, "reason": "no answer", "pid": None},
        ],
    }

    health = NodeHealth.from_json(answer)

    assert [service.pid for service in health.services] == [1, None]
    assert health.complaints == "store: no answer"
