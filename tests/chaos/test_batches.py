"""Upgrades of many plugins on two nodes: what fails, is paused, rolled back, or killed."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.batch_fleet import Fleet, kill_until, running_fleet
from tests.support.node import eventually
from tests.support.plugin_context import Contexts

#: By hand a hundred: `WHERRY_PLUGINS=100 .venv/bin/pytest tests/chaos/test_batches.py`.
_COUNT = int(os.environ.get("WHERRY_PLUGINS", "20"))
_BAD = _COUNT // 10
_LIMIT_S = 60.0 + 6.0 * _COUNT

pytestmark = pytest.mark.timeout(60 + 12 * _COUNT)


@pytest.fixture(scope="module")
def shared_fleet(contexts: Contexts) -> Iterator[Fleet]:
    """Run two nodes on one Redis for all tests here."""
    with running_fleet(contexts) as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    """Give the nodes without plugins."""
    for node in shared_fleet.nodes:
        node.wait_healthy()
    yield shared_fleet
    shared_fleet.remove()


def test_all_become_the_second_version(fleet: Fleet) -> None:
    """Each plugin has one upgrade event, one container, and its setting."""
    fleet.install(_COUNT)
    began_ns = time.time_ns()

    shown = fleet.wait(fleet.begin(), "completed", limit_s=_LIMIT_S)

    assert shown["upgrade"]["counts"] == {"upgraded": _COUNT}
    assert fleet.versions() == {"v2": _COUNT}
    fleet.wait_running()
    told = fleet.upgrades_told(began_ns)
    assert told == Counter(f"p{number}:latest" for number in range(_COUNT))


@pytest.mark.parametrize(
    ("action", "state"),
    [("pause", "paused"), ("continue", "completed"), ("rollback", "rollback_completed")],
)
def test_every_tenth_fails(fleet: Fleet, action: str, state: str) -> None:
    """Each failure action does what it says; what failed, or was put back, is what it was."""
    fleet.install(_COUNT, has_bad=True)
    before = fleet.digests()

    shown = fleet.wait(fleet.begin(update={"failure_action": action}), state, limit_s=_LIMIT_S)

    fleet.wait_running()
    states = Counter(one["plugin"]["state"] for one in shown["plugins"])
    match action:
        case "pause":
            assert states["failed"] >= 1
            assert fleet.versions()["v2"] == states["upgraded"] < _COUNT
        case "continue":
            assert states == {"failed": _BAD, "upgraded": _COUNT - _BAD}
            assert fleet.versions() == {"v1": _BAD, "v2": _COUNT - _BAD}
        case "rollback":
            assert states["failed"] >= 1
            assert states["upgraded"] == states["rollback_failed"] == 0
            assert fleet.versions() == {"v1": _COUNT}
            assert fleet.digests() == before


def test_paused_restarted_resumed(fleet: Fleet) -> None:
    """A pause outlives the restart of everything; resumed, it goes on where it was."""
    fleet.install(_COUNT)
    upgrade_id = fleet.begin(update={"parallelism": 2})
    eventually(lambda: fleet.counts(upgrade_id).get("upgraded", 0) >= 2, "some are upgraded")

    fleet.steer(upgrade_id, "pause")
    paused = fleet.wait(upgrade_id, "paused", limit_s=_LIMIT_S)
    done = paused["upgrade"]["counts"]["upgraded"]
    for node in fleet.nodes:
        node.restart()
    for node in fleet.nodes:
        node.wait_healthy()

    assert fleet.counts(upgrade_id)["upgraded"] == done < _COUNT
    fleet.steer(upgrade_id, "resume")
    shown = fleet.wait(upgrade_id, "completed", limit_s=_LIMIT_S)
    assert shown["upgrade"]["counts"] == {"upgraded": _COUNT}
    assert {one["plugin"]["attempt"] for one in shown["plugins"]} == {1}
    assert fleet.versions() == {"v2": _COUNT}


def test_killed_every_two_seconds(fleet: Fleet) -> None:
    """Whatever is killed, and Redis emptied once, the same plugins end in the same versions."""
    fleet.install(_COUNT, has_bad=True)
    upgrade_id = fleet.begin(update={"failure_action": "continue", "parallelism": 4})

    killed = kill_until(lambda: fleet.is_settled(upgrade_id), fleet, limit_s=_LIMIT_S)

    assert killed, "nothing was killed"
    for node in fleet.nodes:
        node.revive()
    shown = fleet.wait(upgrade_id, "completed", limit_s=_LIMIT_S)
    fleet.wait_running()
    states = Counter(one["plugin"]["state"] for one in shown["plugins"])
    plugins = [one["plugin"] for one in shown["plugins"]]
    failed = [plugin["error"] for plugin in plugins if plugin["state"] == "failed"]
    assert states == {"failed": _BAD, "upgraded": _COUNT - _BAD}, f"{failed}\n{killed}"
    assert fleet.versions() == {"v1": _BAD, "v2": _COUNT - _BAD}


def test_rolled_back_by_request(fleet: Fleet) -> None:
    """An upgrade that is over is put back, without its registry, to the bytes of before."""
    fleet.install(_COUNT)
    before = fleet.digests()
    upgrade_id = fleet.begin()
    fleet.wait(upgrade_id, "completed", limit_s=_LIMIT_S)
    assert fleet.versions() == {"v2": _COUNT}

    with fleet.registry_away():
        fleet.steer(upgrade_id, "rollback")
        fleet.wait(upgrade_id, "rollback_completed", limit_s=_LIMIT_S)

    fleet.wait_running()
    assert fleet.versions() == {"v1": _COUNT}
    assert fleet.digests() == before


def test_another_controller_takes_over(fleet: Fleet) -> None:
    """The node whose controller is active may go: the other's goes on with the upgrade."""
    fleet.install(_COUNT)
    upgrade_id = fleet.begin(update={"parallelism": 2})
    eventually(lambda: fleet.counts(upgrade_id).get("upgraded", 0) >= 1, "one is upgraded")
    active = fleet.active()
    assert active is not None
    (other,) = (node for node in fleet.nodes if node is not active)

    active.kill("parent", "controller")
    eventually(lambda: fleet.active() is other, "the other takes over")
    shown = fleet.wait(upgrade_id, "completed", limit_s=_LIMIT_S)

    active.revive()
    active.wait_healthy()
    assert shown["upgrade"]["counts"] == {"upgraded": _COUNT}
    assert fleet.versions() == {"v2": _COUNT}
    eventually(lambda: _spans(fleet, "batch"), "the batch is told")
    (batch,) = _spans(fleet, "batch")
    plugins = _spans(fleet, "upgrade plugin")
    # What the one that was killed had not written yet is missing, and nothing else.
    assert any(one["attributes"]["wherry.node"] == other.name for one in plugins)
    assert {one["parent_id"] for one in plugins} == {batch["span_id"]}


def _spans(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """Return the spans of a name in the newest upgrade's trace, of all nodes."""
    roots = fleet.nodes[0].get("/wherry/v1/traces")["traces"]
    trace_id = next(r["trace_id"] for r in roots if r["name"] == "POST /wherry/v1/upgrades")
    found: list[dict[str, Any]] = []
    for node in fleet.nodes:
        answer = node.http.get(f"/wherry/v1/traces/{trace_id}")
        found += answer.json()["spans"] if answer.status_code == 200 else []
    return [span for span in found if span["name"] == name]
