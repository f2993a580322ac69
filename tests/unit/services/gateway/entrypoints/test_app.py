"""Docker's routes, over ASGI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from shared import errdefs
from shared.contracts.health import CheckHealth
from shared.contracts.store import (
    CreatePlugin,
    DisablePlugin,
    EnablePlugin,
    RemovePlugin,
    SetPlugin,
)
from tests.support.gateway import changed, event, plugin, plugin_id, reply
from tests.support.gateway_app import AppWorld


def _message(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/json"
    assert response.text.endswith("\n")
    return str(response.json()["message"])


@pytest.mark.parametrize(
    "path", ["/version", "/v1.24/version", "/v1.51/info", "/v1.99/version", "/x"]
)
async def test_common_headers(world: AppWorld, path: str) -> None:
    """Every answer says which engine it is from, refusals too."""
    headers = (await world.get(path)).headers
    assert headers["server"] == "Docker/28.3.0 (linux)"
    assert headers["api-version"] == "1.51"
    assert headers["ostype"] == "linux"
    assert headers["docker-experimental"] == "false"
    assert "content-length" in headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_ping(world: AppWorld, method: str) -> None:
    """A ping is never cached, and says OK where it has a body."""
    response = await world.client.request(method, "/_ping")
    assert response.text == ("OK" if method == "GET" else "")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert response.headers["pragma"] == "no-cache"
    assert response.headers["swarm"] == "inactive"
    assert response.headers["builder-version"] == "2"


async def test_options(world: AppWorld) -> None:
    """OPTIONS is answered everywhere."""
    assert (await world.client.options("/v1.40/anything")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nope"),
        ("POST", "/version"),
        ("GET", "/v1.99/nope"),
        ("GET", "/containers/json"),
        ("POST", "/images/create"),
        ("PUT", "/plugins"),
    ],
)
async def test_page_not_found(world: AppWorld, method: str, path: str) -> None:
    """A wrong path and a wrong method are the same to dockerd."""
    response = await world.client.request(method, path)
    assert (response.status_code, _message(response)) == (404, "page not found")


async def test_head_elsewhere(world: AppWorld) -> None:
    """Only the ping may be asked for its head."""
    assert (await world.client.head("/version")).status_code == 404


async def test_plain_errors_of_old_versions(world: AppWorld) -> None:
    """Below 1.24, errors are bare text."""
    response = await world.get("/v1.20/version")
    assert response.status_code == 400
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.startswith("client version 1.20 is too old.")
    assert response.text.endswith("\n")


async def test_version(world: AppWorld) -> None:
    """The version names the platform."""
    shown = (await world.get("/version")).json()
    assert shown["Platform"]["Name"].startswith("Wherry ")
    assert shown["ApiVersion"] == "1.51"


async def test_info(world: AppWorld) -> None:
    """Info has a stable id."""
    first, second = (await world.get("/info")).json(), (await world.get("/info")).json()
    assert first["ID"] == second["ID"]
    assert first["Swarm"]["LocalNodeState"] == "inactive"
    assert first["LiveRestoreEnabled"] is True


async def test_list(world: AppWorld) -> None:
    """The list is Docker's."""
    response = await world.get("/v1.41/plugins")
    assert [shown["Id"] for shown in response.json()] == [plugin_id("a")]
    assert response.text.endswith("]\n")


@pytest.mark.parametrize(
    ("filters", "count"), [('{"enabled":{"true":true}}', 0), ('{"capability":["volumedriver"]}', 1)]
)
async def test_list_filtered(world: AppWorld, filters: str, count: int) -> None:
    """Filters of either form are applied."""
    assert len((await world.get("/plugins", filters=filters)).json()) == count


async def test_list_with_wrong_filter(world: AppWorld) -> None:
    """A wrong filter is refused."""
    response = await world.get("/plugins", filters='{"x":["y"]}')
    assert (response.status_code, _message(response)) == (400, "invalid filter 'x'")


@pytest.mark.parametrize("name", ["a/plugin", "a/plugin:latest", "docker.io/a/plugin", "aaaaa"])
async def test_inspect(world: AppWorld, name: str) -> None:
    """A plugin is shown by any of its names."""
    assert (await world.get(f"/v1.41/plugins/{name}/json")).json()["Id"] == plugin_id("a")


async def test_inspect_unknown(world: AppWorld) -> None:
    """An unknown plugin is not found."""
    response = await world.get("/plugins/nosuch/json")
    assert (response.status_code, _message(response)) == (404, 'plugin "nosuch" not found')


@pytest.mark.parametrize(("timeout", "waits_s"), [("0", 70.0), ("5", 45.0)])
async def test_enable(world: AppWorld, timeout: str, waits_s: float) -> None:
    """Enable answers 200 without a body, waits as long as it may take, and is seen at once."""
    world.sender.answers[EnablePlugin] = reply(changed(5, plugin("a", enabled=True)))
    response = await world.client.post(f"/v1.41/plugins/a/plugin/enable?timeout={timeout}")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == "0"
    (call,) = world.sender.calls
    assert call.command == EnablePlugin(name="a/plugin", timeout_s=int(timeout))
    assert call.timeout_s == waits_s
    assert (await world.get("/plugins/aa/json")).json()["Enabled"] is True


async def test_enable_without_timeout(world: AppWorld) -> None:
    """The timeout is mandatory, and Go says what is missing."""
    response = await world.client.post("/plugins/a/enable")
    assert response.status_code == 500
    assert _message(response) == 'strconv.Atoi: parsing "": invalid syntax'


@pytest.mark.parametrize("timeout", ["-1", "86401"])
async def test_enable_with_odd_timeout(world: AppWorld, timeout: str) -> None:
    """A timeout that cannot be meant is refused."""
    response = await world.client.post(f"/plugins/a/enable?timeout={timeout}")
    assert response.status_code == 400
    assert world.sender.sent == []


@pytest.mark.parametrize(("query", "force"), [("", False), ("?force=0", False), ("?force=1", True)])
async def test_disable_and_remove(world: AppWorld, query: str, force: bool) -> None:
    """Both answer 200 without a body, and pass the force on."""
    world.sender.answers[DisablePlugin] = reply(changed(5, plugin("a")))
    world.sender.answers[RemovePlugin] = reply(changed(6, None, letter="a"))
    disabled = await world.client.post(f"/plugins/a/plugin/disable{query}")
    removed = await world.client.delete(f"/plugins/a/plugin{query}")
    assert [disabled.status_code, removed.status_code] == [200, 200]
    assert world.sender.sent == [
        DisablePlugin(name="a/plugin", force=force),
        RemovePlugin(name="a/plugin", force=force),
    ]
    assert (await world.get("/plugins")).json() == []


async def test_set(world: AppWorld) -> None:
    """Set takes a list of strings and answers nothing."""
    world.sender.answers[SetPlugin] = reply(changed(5, plugin("a")))
    response = await world.client.post("/plugins/a/plugin/set", json=["DEBUG=1"])
    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers
    assert world.sender.sent == [SetPlugin(name="a/plugin", args=("DEBUG=1",))]


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        (
            "text/plain",
            b"[]",
            "unsupported Content-Type header (text/plain): must be 'application/json'",
        ),
        (
            "application/json",
            b"{invalid json",
            "invalid JSON: invalid character 'i' looking for beginning of object key string",
        ),
        ("application/json", b"[] trailing content", "unexpected content after JSON"),
    ],
)
async def test_set_refuses(world: AppWorld, content_type: str, body: bytes, text: str) -> None:
    """A body that is no JSON list is refused in dockerd's words."""
    headers = {"content-type": content_type}
    response = await world.client.post("/plugins/foobar/set", content=body, headers=headers)
    assert response.status_code == 400
    assert _message(response).startswith(text)


async def test_set_with_an_empty_chunked_body(world: AppWorld) -> None:
    """An empty body of unknown length is the client's fault."""

    async def nothing() -> AsyncIterator[bytes]:
        for chunk in tuple[bytes, ...]():
            yield chunk

    headers = {"content-type": "application/json"}
    response = await world.client.post("/plugins/a/set", content=nothing(), headers=headers)
    assert response.status_code == 400


async def test_errors_of_the_store(world: AppWorld) -> None:
    """What the store refuses is answered with dockerd's status and the store's text."""
    world.sender.answers[EnablePlugin] = errdefs.Conflict("plugin already enabled")
    world.sender.answers[SetPlugin] = errdefs.InvalidArgument("no such", docker_unclassed=True)
    enabled = await world.client.post("/plugins/a/enable?timeout=1")
    assert (enabled.status_code, _message(enabled)) == (409, "plugin already enabled")
    assert (await world.client.post("/plugins/a/set", json=[])).status_code == 500


async def test_create(world: AppWorld) -> None:
    """The context lies in a file while the store works, and is gone afterwards."""
    seen: list[bytes] = []

    def create(command: CreatePlugin) -> Any:
        seen.append(Path(command.context_path).read_bytes())
        return reply(changed(5, plugin("b")))

    world.sender.answers[CreatePlugin] = create
    response = await world.client.post("/plugins/create?name=b/plugin", content=b"tar")
    assert (response.status_code, response.content) == (204, b"")
    assert seen == [b"tar"]
    assert list(world.staging.iterdir()) == []
    assert (await world.get("/plugins/b/plugin/json")).status_code == 200


async def test_create_refused(world: AppWorld) -> None:
    """What the store refuses leaves no file."""
    world.sender.answers[CreatePlugin] = errdefs.AlreadyExists("plugin b already exists")
    response = await world.client.post("/plugins/create?name=b", content=b"tar")
    assert (response.status_code, _message(response)) == (409, "plugin b already exists")
    assert list(world.staging.iterdir()) == []


async def test_create_too_large(world: AppWorld) -> None:
    """A context beyond the limit is refused before the store hears of it."""
    response = await world.client.post("/plugins/create?name=b", content=b"x" * 1001)
    assert response.status_code == 400
    assert world.sender.sent == []


async def test_events_of_the_past(world: AppWorld) -> None:
    """History is a line of JSON for each event, in dockerd's type."""
    world.kept.append(event(1), event(2, action="disable"))
    filters = '{"event":{"disable":true}}'
    response = await world.get("/events", since="1", until="5", filters=filters)
    assert response.headers["content-type"] == "application/json"
    (line,) = response.text.splitlines()
    assert json.loads(line)["Action"] == "disable"


async def test_set_refuses_a_body_that_no_list_of_settings_needs(world: AppWorld) -> None:
    """It is answered 413, and never parsed."""
    body = b" " * (1 << 20) + b"[]"
    headers = {"content-type": "application/json"}
    response = await world.client.post("/plugins/foobar/set", content=body, headers=headers)
    assert response.status_code == 413
    assert "has more than 1048576 bytes" in _message(response)


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"since": "x"}, 500, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"until": "1.y"}, 500, 'strconv.ParseInt: parsing "y": invalid syntax'),
        (
            {"since": "5", "until": "3"},
            400,
            "`since` time (5) cannot be after `until` time (3)",
        ),
        ({"filters": "x"}, 400, "invalid filter"),
    ],
)
async def test_events_refuse(
    world: AppWorld, query: dict[str, str], status: int, text: str
) -> None:
    """Wrong parameters are refused before the stream begins."""
    response = await world.get("/events", **query)
    assert (response.status_code, _message(response)) == (status, text)


async def test_events_unavailable(world: AppWorld) -> None:
    """History that cannot be read is an error, and not an empty stream."""
    world.kept.error = errdefs.Unavailable("the message bus does not answer")
    assert (await world.get("/events", since="1", until="2")).status_code == 503


async def test_fault(world: AppWorld) -> None:
    """A fault of ours is answered 500, and says nothing of what it was."""
    world.sender.answers[EnablePlugin] = RuntimeError("secret")
    response = await world.client.post("/plugins/a/enable?timeout=1")
    assert response.status_code == 500
    assert "secret" not in response.text


async def test_fault_of_health(world: AppWorld) -> None:
    """A fault below /wherry/v1 has the form of its errors, also before FastAPI is there."""
    world.sender.answers[CheckHealth] = RuntimeError("secret")
    response = await world.get("/wherry/v1/health")
    assert response.status_code == 500
    assert response.json()["code"] == "internal"
    assert "secret" not in response.text


async def test_log_line(world: AppWorld) -> None:
    """Each request is one line, with the route's template."""
    with structlog.testing.capture_logs() as lines:
        await world.get("/v1.41/plugins/a/plugin/json")
    (line,) = lines
    assert {key: line[key] for key in ("event", "method", "route", "status")} == {
        "event": "request",
        "method": "GET",
        "route": "/plugins/{name}/json",
        "status": 200,
    }
    assert line["duration_ms"] >= 0
