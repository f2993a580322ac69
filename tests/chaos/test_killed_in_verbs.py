"""Services killed at any moment of any verb: done wholly, or not at all, and nothing stray."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest

from deploy.demo.leftovers import find, mounts_below
from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts

#: Longer than any of the verbs takes when nobody is killed.
_LATEST_KILL_S = 0.06


def _settled(node: Node) -> bool:
    """Tell whether what is shown, what runs and what lies on the disk are one."""
    plugins = node.get("/wherry/v1/plugins")["plugins"]
    expected = {"running" if plugin["enabled"] else "stopped" for plugin in plugins}
    states = {plugin["status"]["state"] for plugin in plugins}
    containers = [p["status"]["container_id"] for p in plugins if p["enabled"]]
    folders = {path.name for path in (node.root / "plugins").iterdir()}
    return (
        states == expected
        and node.containers() == sorted(containers)
        and folders == {plugin["plugin_id"] for plugin in plugins}
        and not [f for f in node.files() if f.startswith(("work/", "trash/", "staging/"))]
    )


@pytest.mark.parametrize(
    ("seed", "killed"),
    [
        (1, ("store",)),
        (2, ("store",)),
        (3, ("executor",)),
        (4, ("store", "executor")),
    ],
)
def test_a_verb_whose_service_is_killed_is_whole_or_nothing(
    node: Node, contexts: Contexts, seed: int, killed: tuple[str, ...]
) -> None:
    """After healing, a create, enable, disable or remove has happened with all it means, or not."""
    moments = random.Random(seed)
    context = contexts.tar(propagatedmount="/data")

    def verb(method: str, path: str, content: bytes = b"") -> Callable[[], None]:
        def send() -> None:
            with node.client() as client:
                answered.append(client.request(method, path, content=content).status_code)

        return send

    for name, run in (
        ("create", verb("POST", "/plugins/create?name=p", context)),
        ("enable", verb("POST", "/plugins/p/enable?timeout=10")),
        ("disable", verb("POST", "/plugins/p/disable")),
        ("enable", verb("POST", "/plugins/p/enable?timeout=10")),
        ("remove", verb("DELETE", "/plugins/p?force=1")),
    ):
        answered: list[int] = []
        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(moments.uniform(0, _LATEST_KILL_S))  # the moment is what is varied
        node.kill(*killed)
        node.wait_healthy()
        thread.join()
        # The command waited for the service, or its sender is told that it went.
        assert answered[0] in (200, 204, 500, 503), name
        eventually(lambda: _settled(node), f"{name} is whole or nothing", limit_s=15)
        _do(node, name, context)
        eventually(lambda: _settled(node), f"{name} is done", limit_s=15)

    assert node.get("/plugins") == []
    assert node.containers() == []
    done = ["create", "enable", "disable", "enable", "remove"]
    eventually(lambda: _done(node) == done, f"the feed has {done}")
    eventually(lambda: _left(node) == [], "no mount and no cgroup is left", limit_s=15)


def _done(node: Node) -> list[str]:
    """Return what was done; a start that was cut short and undone is told as well."""
    return [action for action in node.told("p:latest") if action != "start_failed"]


def _left(node: Node) -> list[str]:
    """Return the mounts and cgroups of plugins."""
    mounts = [path for path in mounts_below(node.folder) if "/plugins/" in path]
    cgroups = find(node.folder, node.cgroup).cgroups
    return mounts + [path for path in cgroups if not path.endswith((node.name, "conmon"))]


def _do(node: Node, name: str, context: bytes) -> None:
    """Do what the killed verb has not done."""
    plugins = node.get("/plugins")
    match name:
        case "create" if not plugins:
            node.create("p", context)
        case "enable" if not plugins[0]["Enabled"]:
            node.enable("p")
        case "disable" if plugins[0]["Enabled"]:
            node.disable("p")
        case "remove" if plugins:
            node.remove("p", force=True)
