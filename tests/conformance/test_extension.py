"""/wherry/v1: what Docker's API has no words for."""

from __future__ import annotations

from tests.support.node import Node
from tests.support.plugin_context import ANSWERS, Contexts


def test_the_api_describes_itself(node: Node) -> None:
    """The OpenAPI document is JSON and has every path."""
    document = node.get("/wherry/v1/openapi.json")

    assert document["openapi"].startswith("3.")
    assert {"/wherry/v1/health", "/wherry/v1/plugins", "/wherry/v1/events"} <= set(
        document["paths"]
    )


def test_health_lists_every_service(node: Node) -> None:
    """Health names each service with its process, and the node is healthy."""
    health = node.get("/wherry/v1/health")

    running = node.pids()
    assert health["node"] == node.name
    assert health["healthy"]
    for service in health["services"]:
        assert service["healthy"]
        assert service["pid"] == running[service["service"]]
    assert {s["service"] for s in health["services"]} == {
        "gateway",
        "store",
        "volume",
        "executor",
        "pull",
        "event",
        "controller",
    }


def test_a_plugin_is_shown_with_its_status(node: Node, contexts: Contexts) -> None:
    """The record of a plugin tells its process and where its socket is."""
    node.create("p", contexts.tar())
    status = node.enable("p")

    (plugin,) = node.get("/wherry/v1/plugins")["plugins"]

    assert plugin["name"] == "p:latest"
    assert plugin["enabled"]
    assert plugin["status"] == status
    assert not status["degraded"]


def test_logs_are_the_last_lines(node: Node, contexts: Contexts) -> None:
    """A plugin's output can be read, its streams told apart."""
    node.create("talks", contexts.tar("print=5", "stderr=careful", *ANSWERS))
    node.enable("talks")

    lines = node.get("/wherry/v1/plugins/talks/logs", tail="3")["lines"]

    assert [(line["stream"], line["text"]) for line in lines] == [
        ("stdout", "line 4"),
        ("stdout", "line 5"),
        ("stderr", "careful"),
    ]


def test_errors_are_data(node: Node) -> None:
    """A refusal has a code, a message and a detail."""
    answer = node.http.get("/wherry/v1/plugins/nothing")

    assert answer.status_code == 404
    assert answer.json() == {
        "code": "not_found",
        "message": 'plugin "nothing" not found',
        "detail": {"plugin": "nothing"},
    }
    assert node.http.get("/wherry/v1/nothing").json()["code"] == "not_found"
    assert node.http.get("/wherry/v1/plugins/x/logs?tail=-1").status_code == 400


def test_nodes_lists_this_one(node: Node) -> None:
    """The node is shown with its folders and its engine."""
    (shown,) = node.get("/wherry/v1/nodes")["nodes"]

    assert shown["name"] == node.name
    assert shown["root"] == str(node.root)
    assert shown["healthy"]
