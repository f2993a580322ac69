"""The order in which plugins start and stop, and how long that may take."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.chaos.conftest import StartNode
from tests.support.node import Node, eventually
from tests.support.plugin_context import ANSWERS, Contexts


def _create(node: Node, contexts: Contexts, name: str, *does: str, **declared: Any) -> None:
    node.create(name, contexts.tar(*(does or ANSWERS), wherry=declared))


def _running(node: Node, *names: str) -> None:
    def states() -> set[str]:
        return {node.status(name)["state"] for name in names}

    eventually(lambda: states() == {"running"}, f"{names} run")


def test_plugins_start_after_what_they_require_and_stop_before(
    start_node: StartNode, contexts: Contexts
) -> None:
    """The slow base is ready before the others start, and ends after them; a stranger waits not."""
    node = start_node(WHERRY_REQUIRES_TIMEOUT_S="20", WHERRY_STOP_GRACE_S="3")
    _create(node, contexts, "base", "term=0", "delay=700", ANSWERS[1])
    _create(node, contexts, "middle", Requires=["base"])
    _create(node, contexts, "top", Requires=["middle", "capability=dummy"])
    _create(node, contexts, "other")
    complaint = node.docker_fails("plugin", "enable", "middle")
    assert "it requires base:latest, which is disabled: enable it first" in complaint
    for name in ("other", "base", "middle", "top"):
        node.docker("plugin", "enable", name)
    complaint = node.docker_fails("plugin", "disable", "base")
    assert "plugin base:latest is required by middle:latest: disable that first" in complaint

    node.shut_down()
    node.up()

    _running(node, "other", "base", "middle", "top")
    other, base, middle, top = (
        node.status(name)["started_at_ns"] for name in ("other", "base", "middle", "top")
    )
    assert base + 0.7e9 < middle < top
    assert other < middle
    stopped = _log_order(node, "plugin stopped, still wished")
    assert stopped.index("top:latest") < stopped.index("middle:latest")
    assert stopped.index("middle:latest") < stopped.index("base:latest")
    node.shut_down()
    assert not node.leftovers()


def test_all_are_down_within_the_deadline(start_node: StartNode, contexts: Contexts) -> None:
    """Plugins that ignore SIGTERM are killed when the time of all is up, in order all the same."""
    node = start_node(WHERRY_SHUTDOWN_TIMEOUT_S="2", WHERRY_STOP_GRACE_S="30")
    _create(node, contexts, "base", ANSWERS[1])
    for name in ("one", "two", "three"):
        _create(node, contexts, name, ANSWERS[1], Requires=["base"])
    for name in ("base", "one", "two", "three"):
        node.enable(name)

    began = time.monotonic()
    node.shut_down()

    assert 2 <= time.monotonic() - began < 10
    assert not node.leftovers()
    node.up()
    _running(node, "base", "one", "two", "three")


def _log_order(node: Node, event: str) -> list[str]:
    lines = (node.folder / "log").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    return [entry["plugin"] for entry in entries if entry["event"] == event]
