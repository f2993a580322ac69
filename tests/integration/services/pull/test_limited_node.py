"""A privilege policy on a real node, by the docker CLI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.node import running_node
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import RegistryServer

pytestmark = pytest.mark.root

_INSTALL = ("plugin", "install", "--grant-all-permissions", "--disable")


def test_a_plugin_that_needs_more_than_its_registry_may_is_refused(tmp_path: Path) -> None:
    """What a person grants is not enough where the operator does not allow it; nothing stays."""
    policy = tmp_path / "privileges.json"
    policy.write_text("[]")
    contexts = Contexts.compiled(tmp_path)
    settings = {"WHERRY_PRIVILEGE_POLICY": str(policy)}
    with RegistryServer() as registry, running_node(settings) as node:
        name = f"{registry.authority}/limited/plugin:v1"
        publish(node, name, contexts.tar(network={"type": "host"}, pidhost=True))

        rule = {"prefix": registry.authority, "allow": ["network"]}
        policy.write_text(json.dumps([rule]))
        told = node.docker_fails(*_INSTALL, name)
        left = node.get("/plugins")
        policy.write_text(json.dumps([{**rule, "allow": ["network", "host pid namespace"]}]))
        node.docker(*_INSTALL, name)

        assert f"{name} needs host pid namespace true, which the privilege policy for" in told
        assert left == []
        assert node.get(f"/plugins/{name}/json")["Name"] == name
        node.shut_down()
