"""Answers of a node, held against the description of Docker's routes."""

from __future__ import annotations

import json
from typing import Any

from tests.support.node import Node
from tests.support.openapi import differences
from tests.support.plugin_context import Contexts


def test_answers_are_as_the_document_says(node: Node, contexts: Contexts) -> None:
    """Of plugins, volumes, events, nodes and disk usage, and of each kind of refusal."""
    document = node.get("/wherry/v1/docker-openapi.json")
    node.create("p", contexts.tar())
    made = node.http.post("/volumes/create", json={"Name": "vol", "Labels": {"a": "b"}})
    assert made.status_code == 201

    def check(template: str, value: Any, method: str = "get", status: str = "200") -> None:
        answer = document["paths"][template][method]["responses"][status]
        (content,) = answer["content"].values()
        assert differences(document, content["schema"], value) == []

    check("/volumes/create", made.json(), "post", "201")
    for path in ("/plugins", "/volumes", "/system/df", "/nodes", "/version", "/info"):
        check(path, node.get(path))
    check("/plugins/{name}/json", node.get("/plugins/p/json"))
    check("/volumes/{name}", node.get("/volumes/vol"))
    until = str(node.feed()[-1]["time_ns"] // 10**9 + 1)
    lines = node.http.get("/events", params={"since": "0", "until": until}).text.splitlines()
    assert lines
    for line in lines:
        check("/events", json.loads(line))
    for path in ("/plugins/nobody/json", "/volumes/nobody", "/swarm", "/nodes/nobody"):
        template = path.replace("nobody", "{name}")
        refused = node.http.get(path)
        assert refused.status_code >= 400
        check(template, refused.json(), status="default")
