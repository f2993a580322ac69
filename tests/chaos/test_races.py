"""Many requests at once: one wins, all are told the truth, nothing is left over."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.support.node import Node, is_running
from tests.support.plugin_context import Contexts

Request = Callable[[httpx.Client], httpx.Response]


def _at_once(node: Node, *requests: Request) -> list[httpx.Response]:
    """Send all requests at once, each over a connection of its own."""

    def send(request: Request) -> httpx.Response:
        with node.client() as client:
            return request(client)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, requests))


def test_of_creates_for_one_name_one_wins(node: Node, contexts: Contexts) -> None:
    """The losers of a race for a name get 409, and leave no file."""
    context = contexts.tar()
    create: Request = lambda client: client.post("/plugins/create?name=race", content=context)  # noqa: E731 - two of a kind

    answers = _at_once(node, *[create] * 6)

    assert sorted(answer.status_code for answer in answers) == [204, *[409] * 5]
    lost = {answer.json()["message"] for answer in answers if answer.status_code == 409}
    assert lost == {"plugin race:latest already exists"}
    assert len(node.get("/plugins")) == 1
    node.remove("race")
    node.wait_for_files(set())


def test_of_enables_of_one_plugin_one_wins(node: Node, contexts: Contexts) -> None:
    """D#33: of five enables one starts the plugin, and the others say that it is enabled."""
    node.create("five", contexts.tar())

    answers = _at_once(node, *[lambda client: client.post("/plugins/five/enable?timeout=20")] * 5)

    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 4]
    assert is_running(node.status("five")["pid"])
    assert len(node.containers()) == 1


def test_enable_beside_forced_remove_leaves_no_process(node: Node, contexts: Contexts) -> None:
    """Whoever comes first, in the end the plugin is gone with its process."""
    for _ in range(4):
        node.create("doomed", contexts.tar())

        enabled, removed = _at_once(
            node,
            lambda client: client.post("/plugins/doomed/enable?timeout=20"),
            lambda client: client.delete("/plugins/doomed?force=1"),
        )

        assert removed.status_code == 200
        assert enabled.status_code in (200, 404)
        assert node.get("/plugins") == []
        assert node.containers() == []


def test_enable_beside_disable_ends_in_one_state(node: Node, contexts: Contexts) -> None:
    """What is shown is what runs, in whatever order the two came."""
    node.create("both", contexts.tar())
    for _ in range(4):
        answers = _at_once(
            node,
            lambda client: client.post("/plugins/both/enable?timeout=20"),
            lambda client: client.post("/plugins/both/disable"),
        )

        assert {answer.status_code for answer in answers} <= {200, 409}
        enabled = node.get("/plugins/both/json")["Enabled"]
        assert len(node.containers()) == int(enabled)
        if enabled:
            node.disable("both")


def test_fifty_plugins_come_and_go_at_once(node: Node, contexts: Contexts) -> None:
    """Fifty plugins are created, enabled and removed, eight at a time."""
    context = contexts.tar()

    def install(number: int) -> list[int]:
        with node.client() as client:
            create = client.post(f"/plugins/create?name=p{number}", content=context)
            enable = client.post(f"/plugins/p{number}/enable?timeout=30")
            return [create.status_code, enable.status_code]

    def remove(number: int) -> int:
        with node.client() as client:
            return client.delete(f"/plugins/p{number}?force=1").status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(install, range(50))) == [[204, 200]] * 50
        assert len(node.containers()) == 50
        assert all(plugin["Enabled"] for plugin in node.get("/plugins"))
        assert list(pool.map(remove, range(50))) == [200] * 50
    assert node.containers() == []
