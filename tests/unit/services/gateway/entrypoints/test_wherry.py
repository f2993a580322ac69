"""The extension API, over ASGI."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from shared import errdefs
from shared.contracts.executor import Resources
from shared.contracts.health import Check, CheckHealth, ServiceHealth
from shared.contracts.message import Done
from shared.contracts.plugin import Consent, Granted
from shared.contracts.store import (
    Collected,
    CollectGarbage,
    GrantPlugin,
    LimitPlugin,
    ShutDownNode,
)
from shared.contracts.volume import ReleaseNode
from tests.support.gateway import changed, event, plugin, plugin_id, reply
from tests.support.gateway_app import AppWorld


def _health(*checks: Check) -> ServiceHealth:
    return ServiceHealth(
        service="store",
        node="n",
        version="1",
        pid=7,
        started_at_ns=1,
        healthy=all(check.ok for check in checks),
        lag=2,
        pending=3,
        checks=checks,
    )


@pytest.mark.parametrize("data", ["%", "a", "ô"])
async def test_a_secret_that_is_not_base64(world: AppWorld, data: str) -> None:
    """What is no base64, whatever it is, is refused without being told."""
    response = await world.client.post("/wherry/v1/secrets", json={"name": "s", "data": data})
    assert response.status_code == 400
    assert response.json()["message"] == "the secret's data is not base64"


async def test_a_fault_is_admitted_as_a_problem(world: AppWorld) -> None:
    """An error that nobody foresaw is 500, in the API's own form, and tells nothing of itself."""
    world.sender.answers[CollectGarbage] = RuntimeError("told to nobody")
    response = await world.client.post("/wherry/v1/content/collect")
    assert response.status_code == 500
    assert response.json()["code"] == "internal"
    assert "its log says why" in response.json()["message"]


async def test_healthy(world: AppWorld) -> None:
    """Every service is asked by name, and the node is healthy when all are."""
    world.sender.answers[CheckHealth] = _health(Check(name="database", ok=True))
    response = await world.get("/wherry/v1/health")
    assert response.status_code == 200
    shown = response.json()
    assert shown["healthy"] is True
    assert [one["service"] for one in shown["services"]] == [
        "gateway",
        "store",
        "volume",
        "executor",
        "pull",
        "controller",
        "event",
    ]
    assert shown["services"][1]["lag"] == 2
    assert sorted(str(call.owner) for call in world.sender.calls) == [
        "controller",
        "event",
        "executor",
        "pull",
        "store",
        "volume",
    ]


async def test_unhealthy(world: AppWorld) -> None:
    """A check that fails is the reason."""
    world.sender.answers[CheckHealth] = _health(Check(name="database", ok=False, message="full"))
    response = await world.get("/wherry/v1/health")
    assert response.status_code == 503
    assert response.json()["services"][1]["reason"] == "database: full"


async def test_absent_service(world: AppWorld) -> None:
    """A service that does not answer is not healthy, with the reason."""
    world.sender.answers[CheckHealth] = errdefs.DeadlineExceeded("no answer within 2 s")
    response = await world.get("/wherry/v1/health")
    assert response.status_code == 503
    store = response.json()["services"][1]
    assert (store["healthy"], store["pid"], store["reason"]) == (
        False,
        None,
        "no answer within 2 s",
    )


async def test_nodes(world: AppWorld) -> None:
    """The gateway speaks for its own node."""
    world.sender.answers[CheckHealth] = _health()
    (node,) = (await world.get("/wherry/v1/nodes")).json()["nodes"]
    assert (node["name"], node["docker_version"], node["healthy"]) == ("n", "28.3.0", True)
    assert node["programs"] == {"runc": "1.1.5"}


async def test_plugins(world: AppWorld) -> None:
    """The list says which revision it shows."""
    shown = (await world.get("/wherry/v1/plugins")).json()
    assert (shown["revision"], [one["name"] for one in shown["plugins"]]) == (
        4,
        ["a/plugin:latest"],
    )


async def test_plugin(world: AppWorld) -> None:
    """A plugin has its status, and is found by a name with slashes."""
    shown = (await world.get("/wherry/v1/plugins/docker.io/a/plugin:latest")).json()
    assert shown["plugin_id"] == plugin_id("a")
    assert shown["status"]["state"] == "stopped"


@pytest.mark.parametrize("path", ["/nope", "/plugins/nosuch", "/plugins/nosuch/logs", ""])
async def test_not_found(world: AppWorld, path: str) -> None:
    """What is not there is a problem with its code."""
    response = await world.get(f"/wherry/v1{path}")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("query", [{"tail": "x"}, {"tail": "-1"}])
async def test_wrong_parameter(world: AppWorld, query: dict[str, str]) -> None:
    """A wrong parameter is named."""
    response = await world.get("/wherry/v1/plugins/a/logs", **query)
    assert response.status_code == 400
    assert "query.tail" in response.json()["message"]


async def test_grant(world: AppWorld) -> None:
    """A grant goes to the store in Docker's keys, and the plugin is shown as it is then."""
    one = Granted(name="network", value=("host",), how=Consent.GRANTED, granted_at_ns=9)
    world.sender.answers[GrantPlugin] = reply(changed(5, plugin("a", grant=(one,))))
    body = {"privileges": [{"name": "network", "value": ["host"]}]}

    response = await world.client.post("/wherry/v1/plugins/a/plugin/grant", json=body)

    docker = {"Name": "network", "Description": "", "Value": ["host"]}
    assert world.sender.sent == [GrantPlugin(name="a/plugin", privileges=(docker,))]
    assert response.json()["grant"] == [
        {"name": "network", "value": ["host"], "how": "granted", "granted_at_ns": 9}
    ]


async def test_a_key_goes_with_the_command(world: AppWorld) -> None:
    """Repeats with one Idempotency-Key are one message to the store; another route's is another."""
    one = Granted(name="network", value=("host",), how=Consent.GRANTED, granted_at_ns=9)
    world.sender.answers[GrantPlugin] = reply(changed(5, plugin("a", grant=(one,))))
    world.sender.answers[LimitPlugin] = reply(changed(5, plugin("a")))
    path = "/wherry/v1/plugins/a/plugin"
    for key in ({"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "l"}, {}):
        await world.client.post(f"{path}/grant", json={"privileges": []}, headers=key)
    await world.client.put(f"{path}/resources", json={}, headers={"Idempotency-Key": "k"})

    ids = [call.message_id for call in world.sender.calls]
    assert ids[0] == ids[1]
    assert ids[3] is None
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("path", "key", "said"),
    [
        ("plugins/a/plugin/grant", "k" * 256, "at most 255"),
        ("exec/e/resize?h=1&w=1", "k", "takes no Idempotency-Key"),
        ("archives", "k", "takes no Idempotency-Key"),
    ],
    ids=["long", "resize", "archive"],
)
async def test_a_key_that_is_not_taken(world: AppWorld, path: str, key: str, said: str) -> None:
    """A key that is too long, or where no outcome can be kept, is refused; nothing is sent."""
    headers = {"Idempotency-Key": key}
    response = await world.client.post(f"/wherry/v1/{path}", json={}, headers=headers)

    assert response.status_code == 400
    assert said in response.json()["message"]
    assert world.sender.sent == []


async def test_limits(world: AppWorld) -> None:
    """Limits go to the store whole; what is left out is unlimited."""
    limits = Resources(memory_bytes=2**26, pids=9)
    world.sender.answers[LimitPlugin] = reply(changed(5, plugin("a", resources=limits)))
    body = {"memory_bytes": 2**26, "pids": 9}

    response = await world.client.put("/wherry/v1/plugins/a/plugin/resources", json=body)

    assert world.sender.sent == [LimitPlugin(name="a/plugin", resources=limits)]
    assert response.json()["resources"] == {"memory_bytes": 2**26, "cpus": None, "pids": 9}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"memory_bytes": 4096}, "memory_bytes"),
        ({"cpus": 0}, "cpus"),
        ({"cpus": "NaN"}, "cpus"),
        ({"pids": 0}, "pids"),
        ({"memory": 2**26}, "memory"),
    ],
)
async def test_wrong_limits(world: AppWorld, body: dict[str, object], named: str) -> None:
    """What no plugin could run with, or is misspelt, is named, and nothing is sent."""
    response = await world.client.put("/wherry/v1/plugins/a/plugin/resources", json=body)

    assert response.status_code == 400
    assert f"body.{named}: " in response.json()["message"]
    assert world.sender.sent == []


async def test_shut_down(world: AppWorld) -> None:
    """Volumes are unmounted first, as well as that goes; then the store has time, and a margin."""
    world.sender.answers[ReleaseNode] = errdefs.Unavailable("no volume service")
    world.sender.answers[ShutDownNode] = Done()
    assert (await world.client.post("/wherry/v1/node/shutdown")).status_code == 204
    _, call = world.sender.calls
    assert (call.command, call.timeout_s) == (ShutDownNode(), 90.0)


async def test_collect_garbage(world: AppWorld) -> None:
    """A dry run asks the store for one, and says that nothing was deleted."""
    world.sender.answers[CollectGarbage] = Collected(digests=("sha256:aa",), size_bytes=3)

    response = await world.client.post("/wherry/v1/content/collect", params={"dry_run": "true"})

    assert response.json() == {"digests": ["sha256:aa"], "size_bytes": 3, "deleted": False}
    assert world.sender.sent == [CollectGarbage(dry_run=True)]


async def _events(world: AppWorld, headers: dict[str, str], **query: str) -> httpx.Response:
    world.kept.append(*map(event, range(1, 6)))
    world.kept.trimmed = 3
    return await world.client.get(
        "/wherry/v1/events", headers=headers, params={"until": "100", **query}
    )


async def test_events_as_lines(world: AppWorld) -> None:
    """Lines carry the numbers, and say where some are missing."""
    response = await _events(world, {}, after="1")
    lines: list[dict[str, Any]] = [json.loads(line) for line in response.text.splitlines()]
    assert lines[0] == {"gap": {"after": 1, "oldest": 4}}
    assert [line["seq"] for line in lines[1:]] == [4, 5]


async def test_events_as_server_sent(world: AppWorld) -> None:
    """A browser's client resumes by itself behind the last id it has seen."""
    response = await _events(world, {"accept": "text/event-stream", "last-event-id": "4"})
    assert response.headers["content-type"].startswith("text/event-stream")
    event_id, data, *rest = response.text.splitlines()
    assert event_id == "id: 5"
    assert json.loads(data.removeprefix("data: "))["seq"] == 5
    assert rest == [""]


@pytest.mark.parametrize(("strict", "count"), [("0", 1), ("1", 0)])
async def test_events_by_a_strict_filter(world: AppWorld, strict: str, count: int) -> None:
    """Docker's filter passes a plugin that is asked for as a volume; a strict one does not."""
    world.kept.append(event(1))
    query = {"until": "100", "filters": '{"volume": ["a/plugin"]}', "strict": strict}
    response = await world.client.get("/wherry/v1/events", params=query)
    assert len(response.text.splitlines()) == count


async def test_wrong_event_time(world: AppWorld) -> None:
    """By class, a wrong time is the client's fault."""
    assert (await world.get("/wherry/v1/events", since="x")).status_code == 400


async def test_openapi(world: AppWorld) -> None:
    """The API describes itself."""
    paths = (await world.get("/wherry/v1/openapi.json")).json()["paths"]
    assert "/wherry/v1/plugins/{name}/logs" in paths
    assert all(path.startswith("/wherry/v1/") for path in paths)
