"""Versions of a plugin compared: here, and at a registry."""

from __future__ import annotations

import json

from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import RegistryServer

_ENV = [{"name": "LEVEL", "value": "info", "settable": ["value"]}]


def test_an_upgrade_foreseen(node: Node, hub: RegistryServer, contexts: Contexts) -> None:
    """Beside a version at a registry, the command tells what it needs and what becomes of settings.

    Nothing is installed or changed by the look.
    """
    remote = f"{hub.authority}/diff/p:v2"
    publish(node, remote, contexts.tar(network={"type": "host"}, env=_ENV, description="two"))
    node.create("p:v1", contexts.tar(env=_ENV))
    node.docker("plugin", "set", "p:v1", "LEVEL=debug")
    before = node.plugin("p:v1")

    text = node.wherry("plugin", "diff", "p:v1", remote)
    told = json.loads(node.wherry("plugin", "diff", "--json", "p:v1", remote))

    assert "Network.Type" in text
    assert "kept, as you chose it" in text
    assert [one["what"] for one in told["privileges"]] == ["network host"]
    assert told["settings"] == [
        {"what": "env LEVEL", "old": "debug", "new": "debug", "why": "kept"}
    ]
    assert len(told["layers_kept"]) == 1
    assert node.plugin("p:v1") == before
    assert "are the same" in node.wherry("plugin", "diff", remote, remote)
    assert "not found" in node.wherry_fails("plugin", "diff", "p:v1", f"{hub.authority}/diff/no:v1")
