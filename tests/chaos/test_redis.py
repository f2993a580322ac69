"""Redis loses all it has, or goes away, while requests are under way."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from typing import Self

import pytest

from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts

_WORKERS = 3
_SETTING = {"name": "A", "settable": ["value"]}


class Traffic:
    """Clients that set a plugin's variable as fast as they can, and what they were answered."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._stop = threading.Event()
        self._counted = threading.Condition()
        self._threads = [threading.Thread(target=self._work) for _ in range(_WORKERS)]
        self.statuses: list[int] = []

    @property
    def successes(self) -> int:
        """Return how many requests were answered well."""
        return self.statuses.count(204)

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Wait for the last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def go_on(self, count: int) -> None:
        """Wait until so many more requests were answered well."""
        with self._counted:
            wanted = self.successes + count
            assert self._counted.wait_for(lambda: self.successes >= wanted, 60), self.statuses[-9:]

    def _work(self) -> None:
        with self._node.client() as client:
            while not self._stop.is_set():
                status = client.post("/plugins/p/set", json=["A=1"]).status_code
                with self._counted:
                    self.statuses.append(status)
                    self._counted.notify_all()


def _flush(node: Node) -> None:
    argv = ["redis-cli", "-s", str(node.exec_root / "redis.sock"), "FLUSHALL"]
    subprocess.run(argv, check=True, capture_output=True, timeout=10)


def _kill(node: Node) -> None:
    node.kill("redis")


@pytest.mark.parametrize("harm", [_flush, _kill], ids=["emptied", "killed"])
def test_traffic_outlives_the_loss_of_redis(
    node: Node, contexts: Contexts, harm: Callable[[Node], None]
) -> None:
    """Only what is in flight fails; afterwards all works, and no event is lost or doubled."""
    node.create("p", contexts.tar(env=[_SETTING]))

    with Traffic(node) as traffic:
        for _ in range(3):
            traffic.go_on(20)
            harm(node)
        node.wait_healthy()
        traffic.go_on(20)

    failures = len(traffic.statuses) - traffic.successes
    assert failures <= 3 * _WORKERS
    assert set(traffic.statuses) <= {204, 500, 503}
    inventory = node.get("/wherry/v1/plugins")
    # Each of these verbs is one revision with one event.
    eventually(lambda: len(node.feed()) >= inventory["revision"], "all is told")
    feed = node.feed()
    assert [event["revision"] for event in feed] == list(range(1, inventory["revision"] + 1))
    assert {event["epoch"] for event in feed} == {inventory["epoch"]}
    assert traffic.successes <= node.told("p:latest").count("set") <= len(traffic.statuses)


def test_verbs_of_all_kinds_work_after_a_flush(node: Node, contexts: Contexts) -> None:
    """A node that is emptied between any two verbs does them all."""
    for flushed in range(2):
        node.create("p", contexts.tar(env=[_SETTING]))
        _flush(node)
        node.enable("p")
        _flush(node)
        node.disable("p")
        _flush(node)
        node.remove("p")
        _flush(node)
        done = ["create", "enable", "disable", "remove"] * (flushed + 1)
        node.until_told("p:latest", *done)


def test_followers_see_every_event_over_a_flush(node: Node, contexts: Contexts) -> None:
    """A `docker events` that runs while Redis is emptied and killed misses and doubles nothing."""
    with subprocess.Popen(
        ["docker", "events", "--since", "1", "--format", "{{.Action}}"],
        env=node.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        try:
            node.create("p", contexts.tar(env=[_SETTING]))
            assert following.stdout.readline() == "create\n"
            for harm in (_flush, _kill):
                node.http.post("/plugins/p/set", json=["A=1"]).raise_for_status()
                harm(node)
                node.wait_healthy()
                node.http.post("/plugins/p/set", json=["A=2"]).raise_for_status()
            node.remove("p")
            told = [following.stdout.readline() for _ in range(5)]
        finally:
            following.kill()
    assert told == ["set\n"] * 4 + ["remove\n"]
