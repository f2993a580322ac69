"""`wherry down`."""

from __future__ import annotations

import pytest

from services.cli.domain.health import ServiceHealth
from services.cli.service.down import Down
from services.cli.service.up import Up
from shared import errdefs
from tests.support.cli import FakeGateway, FakeHost, FakeParent, FakeProcess, health

_STORE = ServiceHealth(service="store", healthy=None, pid=5)


def _down(
    gateway: FakeGateway, parent: FakeParent, host: FakeHost, said: list[str] | None = None
) -> Down:
    up = Up(gateway=gateway, parent=parent, host=host, log="/log")
    say = [] if said is None else said
    return Down(gateway=gateway, parent=parent, host=host, up=up, say=say.append)


def test_plugins_then_parent_then_leftovers() -> None:
    """Plugins are stopped through the node, then its parent, then files are removed."""
    gateway, host, process = FakeGateway([health()]), FakeHost(), FakeProcess()

    assert _down(gateway, FakeParent(running=process), host).run(live=False) is True
    assert (gateway.shut_downs, process.terminated, host.cleaned) == (1, True, 1)


def test_live() -> None:
    """With --live only the parent is stopped; what running plugins need stays."""
    gateway, host, process = FakeGateway([health()]), FakeHost(traces=True), FakeProcess()

    assert _down(gateway, FakeParent(running=process), host).run(live=True) is True
    assert (gateway.shut_downs, process.terminated, host.cleaned) == (0, True, 0)


def test_nothing_runs() -> None:
    """Where nothing runs, old files are removed and nothing is started."""
    host, parent = FakeHost(), FakeParent()

    assert _down(FakeGateway([None]), parent, host).run(live=False) is False
    assert (parent.starts, host.cleaned) == (0, 1)


@pytest.mark.parametrize("host", [FakeHost(traces=True), FakeHost(processes=(_STORE,))])
def test_killed_parent(host: FakeHost) -> None:
    """Where a parent was killed, the node is brought up first, so that it can end in order."""
    gateway, parent, said = FakeGateway([health()]), FakeParent(), list[str]()

    assert _down(gateway, parent, host, said).run(live=False) is True
    assert (parent.starts, gateway.shut_downs, parent.startable.terminated) == (1, 1, True)
    assert "bringing the node up" in said[0]


def test_live_lets_plugins_of_a_dead_node_be() -> None:
    """With --live, plugins that run without a node are no reason to bring it up."""
    parent = FakeParent()

    assert _down(FakeGateway([None]), parent, FakeHost(traces=True)).run(live=True) is False
    assert parent.starts == 0


def test_shutdown_fails() -> None:
    """When plugins cannot be stopped, the reason and the ways on are told, and the node runs."""
    gateway = FakeGateway([health()], refuses=errdefs.Conflict("mount /m is busy"))
    host, process = FakeHost(), FakeProcess()

    with pytest.raises(errdefs.Conflict, match=r"mount /m is busy\n(.|\n)*down --live"):
        _down(gateway, FakeParent(running=process), host).run(live=False)
    assert (process.terminated, host.cleaned) == (False, 0)


def test_waits_for_a_gateway_that_just_starts() -> None:
    """A gateway that does not answer yet is given time before it is asked to shut down."""
    gateway = FakeGateway([None, None, health()])

    _down(gateway, FakeParent(running=FakeProcess()), FakeHost()).run(live=False)

    assert gateway.answers == [health()]


def test_parent_does_not_end() -> None:
    """A parent that does not end is named, and files are left for it."""
    host, process = FakeHost(), FakeProcess(heeds=False)

    with pytest.raises(errdefs.DeadlineExceeded, match="process 10"):
        _down(FakeGateway([health()]), FakeParent(running=process), host).run(live=False)
    assert host.cleaned == 0


def test_what_stays_is_named() -> None:
    """What the node may not remove is told to the user."""
    said = list[str]()

    _down(FakeGateway([None]), FakeParent(), FakeHost(left=["/x/mine"]), said).run(live=False)

    assert said == ["left alone, for it is not ours or not empty: /x/mine"]


def test_needs_root() -> None:
    """Without root nothing is asked or stopped."""
    process = FakeProcess()

    with pytest.raises(errdefs.PermissionDenied):
        _down(FakeGateway([None]), FakeParent(running=process), FakeHost(is_root=False)).run(
            live=False
        )
    assert not process.terminated
