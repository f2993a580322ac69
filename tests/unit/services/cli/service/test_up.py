"""`wherry up`."""

from __future__ import annotations

import pytest

from services.cli.service.up import Up
from shared import errdefs
from tests.support.cli import FakeGateway, FakeHost, FakeParent, FakeProcess, health


def _up(
    gateway: FakeGateway, parent: FakeParent, host: FakeHost | None = None, timeout_s: float = 60.0
) -> Up:
    return Up(
        gateway=gateway, parent=parent, host=host or FakeHost(), log="/log", timeout_s=timeout_s
    )


def test_starts_and_waits_until_healthy() -> None:
    """A parent is started, and the verb ends when all services are well."""
    gateway = FakeGateway([None, health(healthy=False), health()])
    parent = FakeParent()

    assert _up(gateway, parent).run() is True
    assert parent.starts == 1
    assert gateway.answers == [health()]


def test_what_was_begun_is_finished() -> None:
    """A parent that was started before is waited for, and no other is started."""
    gateway = FakeGateway([None, health()])
    parent = FakeParent()
    up = _up(gateway, parent)

    begun = up.begin()

    assert parent.starts == 1
    assert gateway.answers == [None, health()]
    assert up.finish(begun) is True
    assert parent.starts == 1


def test_already_up() -> None:
    """A node that is up and healthy is left as it is, whatever programs are missing."""
    parent = FakeParent(running=FakeProcess())
    host = FakeHost(refuses=errdefs.Unavailable("no conmon"))

    assert _up(FakeGateway([health()]), parent, host).run() is False
    assert parent.starts == 0


def test_an_earlier_parents_services_do_not_count() -> None:
    """Services that an earlier parent left and that still answer are not taken for the new."""
    gateway = FakeGateway([health(pids=(99,)), health(pids=(99, 11)), health(pids=(11,))])

    _up(gateway, FakeParent()).run()

    assert gateway.answers == [health(pids=(11,))]


def test_parent_ends() -> None:
    """A parent that ends instead is reported with its last words, at once."""
    parent = FakeParent(startable=FakeProcess(ends_after=2))

    with pytest.raises(errdefs.Unavailable, match=r"did not start\nthe last words\n.*/log"):
        _up(FakeGateway([None]), parent).run()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "the gateway does not answer"),
        (health(healthy=False, message="no conmon"), "service11: no conmon"),
        (health(pids=(99,)), "services of an earlier parent still run"),
    ],
)
def test_not_healthy_in_time(answer: None, why: str) -> None:
    """When the time is up the reason is told and the node left running."""
    parent = FakeParent()

    with pytest.raises(errdefs.DeadlineExceeded, match=why):
        _up(FakeGateway([answer]), parent, timeout_s=0.0).run()
    assert not parent.startable.terminated


@pytest.mark.parametrize(
    "host", [FakeHost(refuses=errdefs.Unavailable("no conmon")), FakeHost(is_root=False)]
)
def test_host_cannot(host: FakeHost) -> None:
    """Without root or a program nothing is started."""
    parent = FakeParent()

    with pytest.raises(errdefs.Error, match=r"no conmon|only root"):
        _up(FakeGateway([None]), parent, host).run()
    assert parent.starts == 0
