from __future__ import annotations

import pytest

from tests.support.gateway import changed, plugin
from tests.support.gateway_app import AppWorld
from tests.support.wait import eventually

HEADERS = "Host: docker\r\nUser-Agent: Docker-Client/28\r\n"


def head(path: str, headers: str = HEADERS) -> bytes:
    return f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode()


@pytest.mark.parametrize("path", ["/_ping", "/plugins", "/v1.41/plugins", "/plugins/a/plugin/json"])
async def test_plain_reads_lie_ready(world: AppWorld, path: str) -> None:
    """What is in memory is answered with the body that the application gives."""
    answer = world.ready(head(path))

    assert answer is not None
    assert answer.partition(b"\r\n\r\n")[2] == (await world.get(path)).content


async def test_the_version_lies_ready_once_the_programs_told_theirs(world: AppWorld) -> None:
    """Before that, the application serves it: it asks them."""
    assert world.ready(head("/version")) is None

    shown = await world.get("/version")

    assert "runc" in [part["Name"] for part in shown.json()["Components"]]
    answer = world.ready(head("/version"))
    assert answer is not None
    assert answer.partition(b"\r\n\r\n")[2] == shown.content


@pytest.mark.parametrize(
    "request_head",
    [
        head("/plugins?filters={}"),
        head("/plugins/none/json"),
        head("/plugins/%61/json"),
        head("/info"),
        head("/v1.99/plugins"),
        head("/_ping", HEADERS + "Connection: close\r\n"),
        head("/_ping", HEADERS + "Content-Length: 2\r\n"),
        head("/_ping", HEADERS + "traceparent: 00-1-1-01\r\n"),
        head("/_ping", " Host: folded\r\n"),
        head("/_ping") + b"x",
        head("/_ping") * 2,
        head("/_ping")[:-2],
        head("/_ping").replace(b"HTTP/1.1", b"HTTP/1.0"),
        head("/_ping").replace(b"GET", b"HEAD"),
        b"",
    ],
)
async def test_all_else_is_left_to_the_application(world: AppWorld, request_head: bytes) -> None:
    """Queries, errors, other routes, headers that mean something, pieces: none is answered."""
    assert world.ready(request_head) is None


async def test_what_is_recorded_is_left_to_the_application(world: AppWorld) -> None:
    """A request that is to be a trace goes the whole way."""
    world.ready.is_recorded = True

    assert world.ready(head("/_ping")) is None


async def test_a_change_is_shown_by_the_next_answer(world: AppWorld) -> None:
    """An answer that was given is not given again once the plugin is another."""
    before = world.ready(head("/plugins/a/plugin/json"))
    assert before is not None
    assert b'"Enabled":false' in before

    world.changes.put(changed(5, plugin("a", enabled=True)))
    await eventually(lambda: world.ready(head("/plugins/a/plugin/json")) != before)

    after = world.ready(head("/plugins/a/plugin/json"))
    assert after is not None
    assert b'"Enabled":true' in after


async def test_a_plugin_that_is_gone_is_answered_no_more(world: AppWorld) -> None:
    """After a removal the application is left to say that there is no such plugin."""
    assert world.ready(head("/plugins/a/plugin/json")) is not None

    world.changes.put(changed(5, None))

    await eventually(lambda: world.ready(head("/plugins/a/plugin/json")) is None)


async def test_clients_cannot_fill_the_memory(world: AppWorld) -> None:
    """However many heads there are, only some of them are remembered, and all are answered."""
    for number in range(2_000):
        assert world.ready(head("/_ping", f"Host: h{number}\r\n")) is not None
    assert len(world.ready.known) <= 512


async def test_clients_of_many_names_share_an_answer(world: AppWorld) -> None:
    """However many heads ask the same, its answer is kept once, also after a change."""
    first, second = head("/plugins", "Host: a\r\n"), head("/plugins", "Host: b\r\n")
    assert world.ready(first) is world.ready(second)

    world.changes.put(changed(5, plugin("a", enabled=True)))
    await eventually(lambda: b'"Enabled":true' in (world.ready(first) or b""))

    assert world.ready(first) is world.ready(second)
