"""Several nodes on this machine that share one Redis: a fleet, and what its clients see of it."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from tests.support.node import Node, eventually
from tests.support.redis import RedisServer

#: Time for a node to pull, start or stop a plugin on a busy machine.
_LIMIT_S = 60.0


class Fleet:
    """Nodes, and their services as any of them shows these."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)

    @property
    def first(self) -> Node:
        """Return the node whose API the test speaks to, unless it says another."""
        return self.nodes[0]

    @property
    def manager(self) -> Node:
        """Return the node whose controller is active."""
        (name,) = (n["Description"]["Hostname"] for n in self.shown_nodes() if _is_leader(n))
        return self.called(name)

    @property
    def workers(self) -> tuple[Node, ...]:
        """Return the others."""
        manager = self.manager
        return tuple(node for node in self.nodes if node is not manager)

    def called(self, name: str) -> Node:
        """Return a node by its name."""
        return next(node for node in self.nodes if node.name == name)

    def shown_nodes(self) -> list[dict[str, Any]]:
        """Return the nodes as the API shows them."""
        return list(self.get("/nodes"))

    def wait_for_nodes(self, *ready: Node) -> None:
        """Wait until these nodes are known, and are the ones that are ready."""
        names = sorted(node.name for node in ready)

        def is_so() -> bool:
            shown = self.shown_nodes()
            up = (n for n in shown if n["Status"]["State"] == "ready")
            return sorted(n["Description"]["Hostname"] for n in up) == names

        eventually(is_so, f"ready are {names}", limit_s=_LIMIT_S)

    def get(self, path: str, **filters: Any) -> Any:
        """GET something of the first node's API."""
        params = {"filters": json.dumps(filters)} if filters else {}
        response = self.first.http.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def create(
        self, name: str, plugin: dict[str, Any], *, login: dict[str, str] | None = None, **spec: Any
    ) -> str:
        """Create a service and return its id."""
        template = {"Runtime": "plugin", "PluginSpec": plugin, **spec.pop("TaskTemplate", {})}
        body = {"Name": name, "TaskTemplate": template, **spec}
        response = self.first.http.post("/services/create", json=body, headers=_auth(login))
        assert response.status_code == 201, response.text
        return str(response.json()["ID"])

    def service(self, name: str) -> dict[str, Any]:
        """Return a service."""
        return dict(self.get(f"/services/{name}"))

    def update(self, name: str, **plugin: Any) -> None:
        """Change a service's plugin spec."""
        shown = self.service(name)
        spec = shown["Spec"]
        spec["TaskTemplate"]["PluginSpec"] |= plugin
        self.put(shown, spec)

    def put(self, shown: dict[str, Any], spec: dict[str, Any]) -> None:
        """Give a service that was shown another spec."""
        response = self.first.http.post(
            f"/services/{shown['ID']}/update",
            params={"version": shown["Version"]["Index"]},
            json=spec,
        )
        assert response.status_code == 200, response.text

    def remove(self, name: str) -> None:
        """Remove a service."""
        response = self.first.http.delete(f"/services/{name}")
        assert response.status_code == 200, response.text

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """Return a service's tasks, oldest first."""
        return list(self.get("/tasks", service=[service]))

    def running(self, service: str) -> list[str]:
        """Return the names of the nodes where a task of a service runs, and shall."""
        names = {n["ID"]: n["Description"]["Hostname"] for n in self.shown_nodes()}
        return sorted(
            names[t["NodeID"]]
            for t in self.tasks(service)
            if t["Status"]["State"] == t["DesiredState"] == "running"
        )

    def wait_running(self, service: str, *nodes: Node) -> None:
        """Wait until a service runs on these nodes and no others."""
        names = sorted(node.name for node in nodes)
        eventually(
            lambda: self.running(service) == names,
            f"{service} runs on {names}",
            limit_s=_LIMIT_S,
        )

    def plugins(self, node: Node) -> dict[str, dict[str, Any]]:
        """Return a node's plugins by name."""
        return {p["Name"]: p for p in node.http.get("/plugins").json()}

    def wait_plugin(self, node: Node, name: str, **fields: Any) -> dict[str, Any]:
        """Wait until a node has a plugin with these fields, and return it."""

        def is_so() -> bool:
            plugin = self.plugins(node).get(name, {})
            return all(plugin.get(key) == value for key, value in {"Name": name, **fields}.items())

        eventually(is_so, f"{node.name} has {name} with {fields}", limit_s=_LIMIT_S)
        return self.plugins(node)[name]

    def wait_gone(self, node: Node, name: str) -> None:
        """Wait until a node has a plugin no more."""
        eventually(
            lambda: name not in self.plugins(node), f"{name} left {node.name}", limit_s=_LIMIT_S
        )

    def set_node(self, node: Node, **spec: Any) -> None:
        """Set labels or the availability of a node."""
        shown = self.get(f"/nodes/{node.name}")
        response = self.first.http.post(
            f"/nodes/{shown['ID']}/update",
            params={"version": shown["Version"]["Index"]},
            json={**shown["Spec"], **spec},
        )
        assert response.status_code == 200, response.text

    def remove_all(self) -> None:
        """Remove all services, and wait until their plugins are gone."""
        for node in self.shown_nodes():
            self.set_node(self.called(node["Description"]["Hostname"]), Availability="active")
        for service in self.get("/services", runtime=["plugin"]):
            self.remove(service["ID"])
        eventually(
            lambda: self.get("/tasks", runtime=["plugin"]) == [], "no task left", limit_s=_LIMIT_S
        )


@contextlib.contextmanager
def running_fleet(count: int = 3, **settings: str) -> Iterator[Fleet]:
    """Give nodes on one Redis that know one another, and leave nothing of them."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        settings = {"WHERRY_STOP_GRACE_S": "1", **settings, "WHERRY_REDIS_URL": redis.url}
        nodes = [Node(**settings) for _ in range(count)]
        for node in nodes:
            stack.callback(node.destroy)
            node.start()
        for node in nodes:
            node.wait_healthy()
        fleet = Fleet(nodes)
        fleet.wait_for_nodes(*nodes)
        yield fleet


def _is_leader(node: dict[str, Any]) -> bool:
    return bool(node.get("ManagerStatus", {}).get("Leader"))


def _auth(login: dict[str, str] | None) -> dict[str, str]:
    if login is None:
        return {}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(login).encode()).decode()}
