"""Redis under Sentinel: its master dies under load, and nothing is lost or done twice."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Self

import pytest

from tests.support.batch_fleet import running_fleet
from tests.support.node import Node, eventually, running_node
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import RegistryServer
from tests.support.sentinel import SentinelFleet

pytestmark = pytest.mark.root

_BATCH = int(os.environ.get("WHERRY_BATCH", "10"))


@pytest.fixture(scope="module")
def fleet() -> Iterator[SentinelFleet]:
    """Run a Redis under Sentinel."""
    with SentinelFleet() as servers:
        yield servers


@pytest.fixture
def node(fleet: SentinelFleet) -> Iterator[Node]:
    """Run a node on it."""
    with running_node({"WHERRY_REDIS_URL": fleet.url, "WHERRY_STOP_GRACE_S": "1"}) as running:
        yield running
        running.shut_down()
        assert not running.leftovers()


class Toggling:
    """A client that enables and disables a plugin again and again, whatever it is answered."""

    def __init__(self, node: Node, name: str) -> None:
        self._node, self._name = node, name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answers: list[int] = []

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End after the answer that is due."""
        self._stop.set()
        self._thread.join(timeout=120)
        assert not self._thread.is_alive()

    def succeeded(self) -> int:
        """Return how many verbs were carried out."""
        return self.answers.count(200)

    def _run(self) -> None:
        with self._node.client() as http:
            while not self._stop.is_set():
                for verb in ("enable", "disable"):
                    answer = http.post(f"/plugins/{self._name}/{verb}", params={"timeout": "20"})
                    self.answers.append(answer.status_code)


def test_the_master_is_killed_under_load(
    fleet: SentinelFleet, node: Node, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Verbs in flight may fail; then all goes on with the new master, and the feed has no gap."""
    contexts = Contexts.compiled(tmp_path_factory.mktemp("program"))
    node.create("p", contexts.tar())
    node.create("stays", contexts.tar())
    stays = node.enable("stays")
    with RegistryServer() as registry:
        names = [f"{registry.authority}/me/p{number}:1" for number in range(4)]
        for name in names:
            publish(node, name, contexts.tar())
        with Toggling(node, "p") as toggling:
            eventually(lambda: toggling.succeeded() >= 4, "load")
            dead = fleet.master()
            jobs = [_pull(node, name) for name in names[:2]]
            fleet.kill(dead)
            fleet.wait_for_another_master(dead)
            node.wait_healthy()
            before = toggling.succeeded()
            eventually(lambda: toggling.succeeded() >= before + 4, "verbs go on", limit_s=60)
        jobs += [_pull(node, name) for name in names[2:]]
        for job in jobs:
            eventually(partial(_is_done, node, job), "pulled", limit_s=100)
    for name in names:
        eventually(partial(_is_told_once, node, name), f"{name} is told once")
    assert node.status("stays")["pid"] == stays["pid"]
    _told_each_verb_once(node, toggling)
    fleet.start_redis(dead, fleet.master())


@pytest.mark.timeout(180 + 12 * _BATCH)
def test_the_master_is_killed_during_a_batch(
    fleet: SentinelFleet, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """All plugins become the new version, and each is upgraded once."""
    contexts = Contexts.compiled(tmp_path_factory.mktemp("program"))
    with running_fleet(contexts, 2, {"WHERRY_REDIS_URL": fleet.url}) as nodes:
        nodes.install(_BATCH)
        begun_ns = time.time_ns()
        batch = nodes.begin(update={"parallelism": 3, "max_failure_ratio": 0})
        eventually(lambda: nodes.counts(batch).get("upgraded", 0) >= 2, "some are upgraded")
        dead = fleet.master()
        fleet.kill(dead)
        fleet.wait_for_another_master(dead)
        nodes.wait(batch, "completed", limit_s=60.0 + 5 * _BATCH)
        assert nodes.versions() == {"v2": _BATCH}
        eventually(lambda: nodes.upgrades_told(begun_ns).total() >= _BATCH, "all is told")
        assert set(nodes.upgrades_told(begun_ns).values()) == {1}
        nodes.wait_running()
        nodes.remove()
    fleet.start_redis(dead, fleet.master())


def test_doctor(fleet: SentinelFleet, node: Node) -> None:
    """The doctor asks the Sentinels where Redis is, and Redis whether it answers."""
    told = json.loads(node.wherry("doctor", "--json"))
    redis = next(one for one in told if one["subject"] == "redis")
    assert redis["found"] == "answers"


def _told_each_verb_once(node: Node, toggling: Toggling) -> None:
    """Compare the feed with the answers: what succeeded was told, in turn, none twice."""
    told = [action for action in node.told("p:latest") if action in {"enable", "disable"}]
    assert all(one != next_ for one, next_ in pairwise(told)), told
    assert len(told) >= toggling.succeeded()


def _pull(node: Node, name: str) -> str:
    """Begin a pull that nobody waits for, and return its job."""
    answer = node.http.post(
        "/wherry/v1/plugins/pull", params={"detach": "true"}, json={"remote": name}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def _is_told_once(node: Node, name: str) -> bool:
    return node.told(name).count("pull") == 1


def _is_done(node: Node, job: str) -> bool:
    return bool(node.get(f"/wherry/v1/jobs/{job}")["state"] == "done")
