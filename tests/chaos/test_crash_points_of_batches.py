"""A batch of upgrades, and its rollback, whose services die between any two of their steps.

As in test_crash_points, no point is listed. Of a service's points `make chaos` takes every twelfth,
`make chaos-long` all: WHERRY_STRIDE=1.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.node import eventually, kept_up
from tests.support.plugin_context import Contexts
from tests.support.registry import RegistryServer
from tests.support.storm.batch import OnePluginBatch
from tests.support.storm.clock import JumpingClock
from tests.support.storm.node import SteppingNode
from tests.support.storm.steps import Order

_STRIDE = int(os.environ.get("WHERRY_STRIDE", "12"))
_FIRST = int(os.environ.get("WHERRY_SEED", "1")) % _STRIDE
#: Far more than any service has.
_MOST_STEPS = 400
_DAY_S = 25 * 3600.0
_HEAL_LIMIT_S = 60.0

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def batch(contexts: Contexts) -> Iterator[OnePluginBatch]:
    """Run a node whose plugin is at its first version; at last nothing of it is left."""
    with (
        RegistryServer() as registry,
        kept_up(SteppingNode(WHERRY_STOP_GRACE_S="1")) as node,
    ):
        yield OnePluginBatch.on(node, contexts, registry.authority)
        node.remove_all()
        clock = JumpingClock(node.exec_root / "clock")
        clock.jump_to(_DAY_S)
        assert node.http.post("/wherry/v1/content/collect").status_code == 200
        clock.close()
        eventually(lambda: not node.files(), "after a day no file is left")
        node.shut_down()
        assert not node.leftovers()


@pytest.mark.parametrize("service", ["controller", "store", "pull", "executor"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(600 + 3000 / _STRIDE)
def test_a_batch_outlives_a_death_at_each_point(batch: OnePluginBatch, service: str) -> None:
    """Wherever a service dies, the plugin becomes the second version, once, and is put back so."""
    ways: list[tuple[str, Callable[[], None]]] = [
        ("v2", batch.upgrade),
        ("v1", batch.put_back),
    ]
    #: At how many points it died on the way to a version; None: there may be more.
    points: dict[str, int | None] = {"v2": None, "v1": None}
    for after in range(_FIRST, _MOST_STEPS, _STRIDE):
        for version, go in ways:
            is_over = points[version] is not None
            has_died = _dies(batch, None if is_over else _order(service, after), version, go)
            if not (has_died or is_over):
                points[version] = after
        if None not in points.values():
            assert all(points.values()), f"it has no step in {service}"
            sys.stdout.write(f"batch: {points['v2']} points in {service}, back {points['v1']}\n")
            return
    pytest.fail(f"a batch did not come to its end within {_MOST_STEPS} steps: {points}")


def _order(service: str, after: int) -> Order:
    return Order(service=service, after=after, number=next(_numbers))


def _dies(batch: OnePluginBatch, order: Order | None, version: str, go: Callable[[], None]) -> bool:
    """Have it go to a version, and a service die on the way; return whether it came so far."""
    node, before = batch.node, batch.changes()
    if order is not None:
        node.die(order)
    go()
    node.live()
    node.wait_healthy()
    died_at = node.died_at if order is not None else ""
    sys.stdout.write(f"{version} {order and order.after}: {died_at or 'alive'}\n")
    eventually(lambda: batch.is_at(version), _Found(batch, version, died_at), limit_s=_HEAL_LIMIT_S)
    eventually(lambda: batch.changes() > before, "the change is told")
    assert batch.changes() == before + 1, f"told more than once; died at {died_at}"
    return bool(died_at)


class _Found:
    """Says, when it is asked at last, what was found."""

    def __init__(self, batch: OnePluginBatch, version: str, died_at: str) -> None:
        self._batch, self._version, self._died_at = batch, version, died_at

    def __str__(self) -> str:
        found = self._batch.verbs.observed(), self._batch.verbs.contradictions()
        return f"at {self._version}, having died at {self._died_at}; found {found}"
