"""Several nodes on one Redis, with plugins that can be upgraded, and some that can't."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.support.node import SERVICES, Node, eventually
from tests.support.plugin_context import Contexts
from tests.support.redis import RedisServer
from tests.support.registry import RegistryServer

#: Of ten plugins one has a second version that does not start.
_TENTH = 10
#: Set, not the default, on every plugin: it must outlive an upgrade and a rollback.
CHOSEN = "DEBUG=chosen"
_AT_ONCE = 4
_KILL_EVERY_S = 2.0
#: Kills before Redis is emptied.
_FLUSH_AFTER = 3
_SETTLED = frozenset(
    {"planned", "paused", "completed", "cancelled", "failed"}
    | {"rollback_completed", "rollback_paused"}
)


class Fleet:
    """Nodes, their registry, and the plugins on them, `p0`, `p1`, … one node after the other.

    Plugins come from the repository `good`, every tenth, if *has_bad*, from `bad`.
    """

    def __init__(self, nodes: tuple[Node, ...], redis: RedisServer, server: RegistryServer) -> None:
        self.nodes = nodes
        self.redis = redis
        self._server = server
        self.registry = server.authority
        self.count = 0
        self.has_bad = False

    def push(self, contexts: Contexts) -> None:
        """Push both versions of both repositories."""
        env = [{"name": "DEBUG", "value": "0", "settable": ["value"]}]
        old = contexts.tar(env=env)
        new = contexts.tar(env=env, description="new")
        sick = contexts.tar("print=1", "exit=7", env=env)
        node = self.nodes[0]
        for repository, second in (("good", new), ("bad", sick)):
            for tag, context in (("v1", old), ("v2", second)):
                ref = f"{self.registry}/{repository}:{tag}"
                node.create(ref, context)
                node.docker("plugin", "push", ref)
                node.remove(ref)

    def install(self, count: int, *, has_bad: bool = False) -> None:
        """Install and enable plugins of the first version, with a setting that was chosen."""
        self.count, self.has_bad = count, has_bad
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._install, range(count)))

    def remove(self) -> None:
        """Remove all plugins."""
        for node in self.nodes:
            node.remove_all()

    def node_of(self, number: int) -> Node:
        """Return the node that has a plugin."""
        return self.nodes[number % len(self.nodes)]

    def is_bad(self, number: int) -> bool:
        """Tell whether a plugin's second version does not start."""
        return self.has_bad and number % _TENTH == _TENTH - 1

    def begin(self, **wish: Any) -> str:
        """Begin an upgrade of all plugins to the second version, and return its id."""
        update = {"parallelism": 8, "monitor_s": 0.5, **wish.pop("update", {})}
        body = {"selector": {"enabled": True}, "target": {"tag": "v2"}, "update": update, **wish}
        response = self.nodes[0].http.post("/wherry/v1/upgrades", json=body)
        assert response.status_code == 202, response.text
        return str(response.json()["batch_id"])

    def show(self, upgrade_id: str) -> dict[str, Any]:
        """Return an upgrade with its plugins, asked of whichever node answers."""
        for node in self.nodes:
            with contextlib.suppress(Exception):
                return dict(node.get(f"/wherry/v1/upgrades/{upgrade_id}"))
        raise AssertionError("no node answers")

    def steer(self, upgrade_id: str, verb: str) -> dict[str, Any]:
        """Pause, resume, cancel or roll back an upgrade."""
        path = f"/wherry/v1/upgrades/{upgrade_id}/{verb}"
        response = self.nodes[-1].http.post(path)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def wait(self, upgrade_id: str, state: str, *, limit_s: float = 120.0) -> dict[str, Any]:
        """Wait until nothing happens of an upgrade by itself; return it, in that state."""
        eventually(lambda: self.is_settled(upgrade_id), f"{upgrade_id} is {state}", limit_s=limit_s)
        found = self.show(upgrade_id)
        assert found["upgrade"]["state"] == state, found["upgrade"]
        return found

    def versions(self) -> Counter[str]:
        """Return how many plugins are of which version, all enabled, with what was chosen."""
        found = Counter[str]()
        for node in self.nodes:
            for plugin in node.get("/wherry/v1/plugins")["plugins"]:
                assert plugin["enabled"], plugin["name"]
                assert CHOSEN in plugin["settings"]["Env"], plugin["name"]
                found[plugin["reference"].rpartition(":")[2]] += 1
        return found

    def wait_running(self, *, limit_s: float = 60.0) -> None:
        """Wait until each plugin runs, in one container, with its own version's files."""
        for node in self.nodes:
            eventually(partial(self._all_run, node), "all run", limit_s=limit_s)

    def digests(self) -> Mapping[str, str]:
        """Return the manifest of each plugin."""
        return {
            plugin["name"]: plugin["manifest_digest"]
            for node in self.nodes
            for plugin in node.get("/wherry/v1/plugins")["plugins"]
        }

    def upgrades_told(self, since_ns: int) -> Counter[str]:
        """Return how many `upgrade` events each plugin has had since a moment."""
        found = Counter[str]()
        for node in self.nodes:
            for event in node.feed():
                if event["action"] == "upgrade" and event["time_ns"] >= since_ns:
                    found[event["attributes"]["name"]] += 1
        return found

    def _install(self, number: int) -> None:
        repository = "bad" if self.is_bad(number) else "good"
        remote, name = f"{self.registry}/{repository}:v1", f"p{number}"
        client = self.node_of(number).client()
        with client:
            pulled = client.post("/plugins/pull", params={"remote": remote, "name": name}, json=[])
            assert pulled.status_code == 200, pulled.text
            assert "error" not in pulled.text, pulled.text
            chosen = client.post(f"/plugins/{name}/set", json=[CHOSEN])
            assert chosen.status_code == 204, chosen.text
            enabled = client.post(f"/plugins/{name}/enable", params={"timeout": "30"})
            assert enabled.status_code == 200, enabled.text

    def is_settled(self, upgrade_id: str) -> bool:
        """Tell whether nothing happens of an upgrade by itself; not while nobody answers."""
        try:
            found = self.show(upgrade_id)["upgrade"]
        except AssertionError:
            return False
        moving = {"upgrading", "rolling_back"} & set(found["counts"])
        return found["state"] in _SETTLED and not moving

    def counts(self, upgrade_id: str) -> dict[str, int]:
        """Return how many plugins of an upgrade are in which state."""
        return dict(self.show(upgrade_id)["upgrade"]["counts"])

    def active(self) -> Node | None:
        """Return the node whose controller is active."""
        for node in self.nodes:
            with contextlib.suppress(Exception):
                if _heard_of(node):
                    return node
        return None

    @contextlib.contextmanager
    def registry_away(self) -> Iterator[None]:
        """Have no registry in the block."""
        self._server.kill()
        try:
            yield
        finally:
            self._server.start()

    def _all_run(self, node: Node) -> bool:
        plugins = node.get("/wherry/v1/plugins")["plugins"]
        containers = sorted(str(plugin["status"]["container_id"]) for plugin in plugins)
        return all(
            plugin["status"]["state"] == "running" and plugin["status"]["upgrading"] is None
            for plugin in plugins
        ) and node.containers() == sorted(containers)


@contextlib.contextmanager
def running_fleet(
    contexts: Contexts, count: int = 2, settings: Mapping[str, str] | None = None
) -> Iterator[Fleet]:
    """Give a fleet that is up, its registry filled, and leave nothing of it.

    *settings* may name another Redis than the fleet's own.
    """
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        registry = stack.enter_context(RegistryServer())
        env = {"WHERRY_REDIS_URL": redis.url, **(settings or {})}
        nodes = tuple(Node(**env) for _ in range(count))
        for node in nodes:
            stack.callback(node.destroy)
            node.start()
        for node in nodes:
            node.wait_healthy()
        fleet = Fleet(nodes, redis, registry)
        known = f"{count} of {count} are ready"
        eventually(lambda: any(_heard_of(node) == known for node in nodes), "all are heard of")
        fleet.push(contexts)
        yield fleet


def _heard_of(node: Node) -> str:
    """Return what a node's controller says of the nodes; nothing where it stands by."""
    services = node.http.get("/wherry/v1/health").json()["services"]
    (checks,) = (one["checks"] for one in services if one["service"] == "controller")
    return "".join(check["message"] for check in checks if check["name"] == "nodes")


def kill_until(is_over: Callable[[], bool], fleet: Fleet, *, limit_s: float) -> list[str]:
    """Kill -9 something every two seconds, empty Redis once; return what was killed."""
    luck = random.Random(int(os.environ.get("WHERRY_SEED", "7")))
    killed: list[str] = []
    deadline = time.monotonic() + limit_s
    while not is_over():
        assert time.monotonic() < deadline, f"not over in time; killed: {killed}"
        killed.append(_kill_one(fleet, luck))
        if len(killed) == _FLUSH_AFTER:
            fleet.redis.flushall()
            killed.append("flush")
        _wait(_KILL_EVERY_S, is_over)
        for node in fleet.nodes:
            node.revive(wait=False)
    return killed


def _kill_one(fleet: Fleet, luck: random.Random) -> str:
    node = luck.choice(fleet.nodes)
    what = luck.choice((*SERVICES, "parent", "conmon", "redis"))
    match what:
        case "redis":
            fleet.redis.kill()
            fleet.redis.start()
        case "conmon":
            container = luck.choice(node.containers() or [""])
            with contextlib.suppress(OSError, ValueError):
                os.kill(node.conmon(container), signal.SIGKILL)
        case _ if node.pid(what) is not None:
            node.kill(what)
    return f"{what} of {node.name}"


def _wait(seconds: float, is_over: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_over():
        time.sleep(0.1)
