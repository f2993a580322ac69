"""Plugins put at a registry by a node."""

from __future__ import annotations

import json
from typing import Any

from tests.support.node import Node


def push(node: Node, name: str) -> dict[str, Any]:
    """Push a plugin and return what its stream says last of it: tag, digest and size."""
    answer = node.http.post(f"/plugins/{name}/push")
    assert answer.status_code == 200, answer.text
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert "aux" in lines[-1], lines[-1]
    return dict(lines[-1]["aux"])


def publish(node: Node, name: str, context: bytes) -> str:
    """Create a plugin, push it, remove it, and return its digest."""
    node.create(name, context)
    digest = str(push(node, name)["Digest"])
    node.remove(name)
    return digest
