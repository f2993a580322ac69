"""`wherry status`: whom it asks and what it makes of it."""

from __future__ import annotations

from services.cli.domain.health import NodeHealth, ServiceHealth
from services.cli.domain.status import State, Status
from services.cli.service.status import Look
from shared.node.config import NodeConfig
from tests.support.cli import FakeGateway, FakeHost, health

_NODE = NodeConfig.from_env({"WHERRY_NODE": "n1"})
_STORE = ServiceHealth(service="store", healthy=None, pid=5)


def _look(answer: NodeHealth | None, host: FakeHost) -> Status:
    gateway = FakeGateway([answer], plugins={"running": 1})
    return Look(node=_NODE, gateway=gateway, host=host, log="/log").run()


def test_gateway_answers() -> None:
    """The gateway's word is taken, for services and plugins."""
    status = _look(health(), FakeHost(processes=(_STORE,)))

    assert (status.state, status.plugins) == (State.HEALTHY, {"running": 1})
    assert status.services == health().services


def test_not_healthy() -> None:
    """A node of which a service is not well is not healthy."""
    assert _look(health(healthy=False), FakeHost()).state is State.UNHEALTHY


def test_gateway_is_silent() -> None:
    """Without the gateway the lock files tell what runs, and the user is told so."""
    status = _look(None, FakeHost(processes=(_STORE,)))

    assert (status.state, status.plugins, status.services) == (State.UNHEALTHY, None, (_STORE,))
    assert "lock files" in status.note


def test_nothing_runs() -> None:
    """Without gateway and locks the node is not running."""
    status = _look(None, FakeHost())

    assert status.state is State.NOT_RUNNING
    assert "wherry up" in status.note


def test_plugins_without_a_node() -> None:
    """After `down --live` the node is not running, and the user is told that plugins may be."""
    status = _look(None, FakeHost(traces=True))

    assert status.state is State.NOT_RUNNING
    assert "plugins may still run" in status.note
