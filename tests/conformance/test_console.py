"""`wherry ui` against a node: who gets in, and what is behind the door."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.node import Node
from tests.support.plugin_context import Contexts

_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/ui/\?key=(\S+)")


@pytest.fixture(scope="module")
def door(shared_node: Node) -> Iterator[tuple[str, str]]:
    """Give the origin and the key of a console that is served meanwhile."""
    with shared_node.begin_wherry("ui", "--no-open") as command:
        found = None
        while found is None:
            found = _ADDRESS.search(command.says())
        yield found[1], found[2]
        assert command.interrupt() == 0


@pytest.fixture(scope="module")
def inside(door: tuple[str, str]) -> Iterator[httpx.Client]:
    """Give a browser that has used the key."""
    origin, key = door
    with httpx.Client(base_url=origin) as http:
        let_in = http.get("/ui/", params={"key": key})
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/ui/")
        assert let_in.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
        yield http


def test_pages(inside: httpx.Client, node: Node) -> None:
    """A browser that was let in sees the node's pages and their files."""
    page = inside.get("/ui/")
    assert page.status_code == 200
    assert node.name in page.text
    for address in set(re.findall(r'/ui/static/[^"]+', page.text)):
        assert inside.get(address).status_code == 200
    assert inside.get("/ui/plugins/nobody").status_code == 404


def test_streams(inside: httpx.Client, node: Node, contexts: Contexts) -> None:
    """What is live comes through as it is told, with the position to resume at."""
    node.create("p", contexts.tar())
    with inside.stream("GET", "/ui/plugins", headers={"accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        # Several pieces are told; behind the last of them a browser resumes.
        assert any(line.startswith("id: ") for line in itertools.islice(answer.iter_lines(), 200))


def test_only_the_console(inside: httpx.Client) -> None:
    """Behind the door is the console alone, not the API."""
    for path in ("/", "/wherry/v1/plugins", "/v1.51/plugins", "/uix"):
        assert inside.get(path).status_code == 404
    assert inside.post("/plugins/x/enable").status_code == 404


def test_strangers(inside: httpx.Client, door: tuple[str, str]) -> None:
    """Without the cookie nobody gets in, with the used key neither, and not by another name."""
    origin, key = door
    with httpx.Client(base_url=origin) as http:
        assert http.get("/ui/").status_code == 403
        assert http.get("/ui/", params={"key": key}).status_code == 403
        assert http.post("/ui/plugins/x/enable").status_code == 403
    assert inside.get("/ui/", headers={"host": "evil.example"}).status_code == 403


def test_a_form(inside: httpx.Client) -> None:
    """A form comes through with its origin, is checked by the gateway, and leads back."""
    found = re.search(r'name="token" value="([0-9a-f]+)"', inside.get("/ui/plugins").text)
    assert found is not None
    form = {"token": found[1], "theme": "dark", "back": "/ui/events"}
    origin = str(inside.base_url).rstrip("/")
    done = inside.post("/ui/theme", data=form, headers={"origin": origin})
    assert (done.status_code, done.headers["location"]) == (303, "/ui/events")
    forged = inside.post("/ui/theme", data=form, headers={"origin": "http://evil.example"})
    assert forged.status_code == 403


def test_port_taken(door: tuple[str, str], node: Node) -> None:
    """A port that somebody has is named, and what to do."""
    port = door[0].rpartition(":")[2]
    assert "name another --port" in node.wherry_fails("ui", "--no-open", "--port", port)
