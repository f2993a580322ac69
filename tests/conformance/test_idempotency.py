"""Idempotency-Key on /wherry/v1: the first outcome for every repeat, from the owner's database."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts

_PATH = "/wherry/v1/plugins/p"


def _put(node: Node, what: str, body: dict[str, Any], key: str) -> httpx.Response:
    return node.http.put(f"{_PATH}/{what}", json=body, headers={"Idempotency-Key": key})


def test_a_key_has_one_outcome(node: Node, contexts: Contexts) -> None:
    """Repeats get the first answer, good or bad, whatever has changed since; nothing is done twice.

    Another body is refused; the key of another route is another key.
    """
    # Others had a plugin of this name on the node before.
    before = node.told("p:latest").count("update")
    node.create("p", contexts.tar())
    first = _put(node, "resources", {"pids": 50}, "k")
    node.http.put(f"{_PATH}/resources", json={"pids": 60}).raise_for_status()
    again = _put(node, "resources", {"pids": 50}, "k")
    assert (first.status_code, again.content) == (200, first.content)
    assert node.plugin("p")["resources"]["pids"] == 60

    assert _put(node, "resources", {"pids": 51}, "k").status_code == 409
    assert _put(node, "restart-policy", {"name": "no"}, "k").status_code == 200

    node.enable("p")
    refused = _put(node, "resources", {"pids": 70}, "l")
    node.disable("p")
    assert refused.status_code == 409
    assert _put(node, "resources", {"pids": 70}, "l").content == refused.content
    assert node.plugin("p")["resources"]["pids"] == 60
    eventually(lambda: node.told("p:latest").count("update") == before + 3, "each is told once")


def test_a_lease_of_a_key_is_taken_once(node: Node, contexts: Contexts) -> None:
    """A repeat that comes after the release does not hold the plugin again."""
    node.create("p", contexts.tar(interface={"types": ["docker.dummy/1.0"], "socket": "p.sock"}))
    node.enable("p")
    wish = {"owner": "user/u", "capability": "dummy", "ttl_s": 60}
    held = [
        node.http.post(f"{_PATH}/references", json=wish, headers={"Idempotency-Key": "a"})
        for _ in range(2)
    ]
    assert held[0].status_code == 200
    assert held[0].content == held[1].content
    node.http.delete(f"{_PATH}/references/user/u").raise_for_status()
    late = node.http.post(f"{_PATH}/references", json=wish, headers={"Idempotency-Key": "a"})
    assert late.content == held[0].content
    assert node.owners("p") == []


def test_a_mount_of_a_key_is_made_once(node: Node) -> None:
    """A repeat that comes after the unmount does not mount the volume again."""
    node.http.post("/volumes/create", json={"Name": "vol"}).raise_for_status()
    path, key = "/wherry/v1/volumes/vol/mounts", {"Idempotency-Key": "m"}
    first = node.http.post(path, json={"owner": "o"}, headers=key)
    node.unmount("vol", "o")
    assert node.http.post(path, json={"owner": "o"}, headers=key).content == first.content
    assert node.get(path)["mounts"] == []
