"""Docker's routes that end at a registry, over ASGI."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog

from shared import errdefs
from shared.contracts.job import (
    BeginJob,
    CancelJob,
    GetJob,
    JobEnded,
    JobKind,
    JobProgress,
    JobReply,
    JobRequest,
)
from shared.contracts.pull import GetPrivileges, LoggedIn, LogIn, Privileges
from shared.contracts.store import EnablePlugin
from tests.support.gateway import changed, plugin, plugin_id, reply
from tests.support.gateway_app import AppWorld
from tests.support.gateway_jobs import begun, job, waiting
from tests.support.wait import eventually

_NETWORK = {"Name": "network", "Description": "d", "Value": ["host"]}
_AUTH = base64.urlsafe_b64encode(b'{"username":"u","password":"s3cret"}').decode()
_PULL = "/v1.41/plugins/pull?remote=host:5000/p&name="


async def _post(world: AppWorld, path: str, body: Any = None, **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await world.client.post(path, json=[] if body is None else body, headers=named)


def _begin(world: AppWorld) -> BeginJob:
    """Return the job that was begun."""
    (found,) = (command for command in world.sender.sent if isinstance(command, BeginJob))
    return found


def _ends_well(world: AppWorld, *told: JobProgress) -> None:
    world.sender.answers[BeginJob] = begun
    one = plugin("b", name="host:5000/p:latest")
    world.follower.tell(*told, JobEnded(changed=reply(changed(5, one))))


def _fails(world: AppWorld, error: errdefs.Error, *told: JobProgress) -> None:
    world.sender.answers[BeginJob] = begun
    world.follower.tell(*told, JobEnded(error=error.to_wire()))


async def test_pull(world: AppWorld) -> None:
    """A pull streams lines as dockerd does, and its plugin is there when they end."""
    _ends_well(world, JobProgress(status="Pulling from host:5000/p", id="latest"), waiting())
    response = await _post(world, _PULL, [_NETWORK])
    assert response.status_code == 200
    assert response.headers["docker-plugin-name"] == "host:5000/p:latest"
    assert response.headers["content-type"] == "application/json"
    assert response.text == (
        '{"status":"Pulling from host:5000/p","id":"latest"}\r\n'
        '{"status":"Waiting","progressDetail":{},"id":"0123456789ab"}\r\n'
    )
    listed = (await world.get("/plugins")).json()
    assert plugin_id("b") in [one["Id"] for one in listed]
    command = _begin(world)
    assert command.request == JobRequest(
        kind=JobKind.PULL,
        name="host:5000/p:latest",
        remote="host:5000/p:latest",
        privileges=(_NETWORK,),
    )
    assert world.follower.job_ids == [command.job_id] == [response.headers["wherry-job-id"]]


@pytest.mark.parametrize(
    ("query", "remote", "name"),
    [
        ("remote=p", "docker.io/library/p:latest", "p:latest"),
        ("remote=p:v1&name=q", "docker.io/library/p:v1", "q:latest"),
        (
            f"remote=h.x/p:v1@sha256:{'a' * 64}",
            f"h.x/p@sha256:{'a' * 64}",
            "h.x/p:v1",
        ),
    ],
)
async def test_names(world: AppWorld, query: str, remote: str, name: str) -> None:
    """The remote is fetched in its full form, and named by dockerd's rules."""
    _ends_well(world)
    response = await _post(world, f"/plugins/pull?{query}")
    assert response.headers["docker-plugin-name"] == name
    assert (_begin(world).request.remote, _begin(world).request.name) == (remote, name)


@pytest.mark.parametrize("body", [b"", b"null", b"[]"])
async def test_nothing_granted(world: AppWorld, body: bytes) -> None:
    """A body without privileges grants nothing, which is not the same as checking nothing."""
    _ends_well(world)
    headers = {"content-type": "application/json"}
    await world.client.post(_PULL, content=body, headers=headers)
    assert _begin(world).request.privileges == ()


@pytest.mark.parametrize("path", ["/plugins/a/plugin/upgrade", "/plugins/pull"])
@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (
            b"[]",
            "text/plain",
            "unsupported Content-Type header (text/plain): must be 'application/json'",
        ),
        (
            b"{invalid json",
            "application/json",
            "invalid JSON: invalid character 'i' looking for beginning of object key string",
        ),
        (b"[] trailing content", "application/json", "unexpected content after JSON"),
        (
            b'{"Name":"x"}',
            "application/json",
            (
                "invalid JSON: json: cannot unmarshal object into Go value of type "
                "types.PluginPrivileges"
            ),
        ),
        (
            b'[{"Name":5}]',
            "application/json",
            (
                "invalid JSON: json: cannot unmarshal number into Go struct field "
                "PluginPrivilege.Name of type string"
            ),
        ),
    ],
)
async def test_wrong_body(
    world: AppWorld, path: str, body: bytes, content_type: str, text: str
) -> None:
    """A body that can't be read is refused in dockerd's words."""
    response = await world.client.post(path, content=body, headers={"content-type": content_type})
    assert (response.status_code, response.json()["message"]) == (400, text)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


async def test_chunked_empty_body(world: AppWorld) -> None:
    """A body that comes in chunks must hold something."""
    headers = {"content-type": "application/json"}
    response = await world.client.post(_PULL, content=_nothing(), headers=headers)
    assert response.status_code == 400
    assert response.json()["message"] == "invalid JSON: got EOF while reading request body"


async def test_wrong_remote(world: AppWorld) -> None:
    """What is no reference answers as in dockerd, which has no class for it."""
    response = await _post(world, "/plugins/pull?remote=")
    assert (response.status_code, response.json()["message"]) == (500, "invalid reference format")


async def test_name_taken(world: AppWorld) -> None:
    """A pull to a name that is taken answers 400, unlike a create."""
    world.sender.answers[BeginJob] = errdefs.AlreadyExists("plugin p:latest already exists")
    response = await _post(world, _PULL)
    assert response.status_code == 400
    assert response.json()["message"] == "plugin p:latest already exists"


async def test_failure_before_the_first_line(world: AppWorld) -> None:
    """A job that fails before it told anything answers with its error's status."""
    _fails(world, errdefs.NotFound("error resolving plugin reference: p: not found"))
    response = await _post(world, _PULL)
    assert response.status_code == 404
    assert response.json()["message"] == "error resolving plugin reference: p: not found"
    assert "docker-plugin-name" not in response.headers


async def test_failure_after_the_first_line(world: AppWorld) -> None:
    """A job that fails later has answered 200 already; the error is the last line."""
    _fails(world, errdefs.Internal("incorrect privileges"), waiting())
    response = await _post(world, _PULL)
    assert response.status_code == 200
    assert response.text.splitlines()[-1] == (
        '{"errorDetail":{"message":"incorrect privileges"},"error":"incorrect privileges"}'
    )


async def test_push(world: AppWorld) -> None:
    """A push goes to where the plugin's name says, and ends with what it made."""
    aux = {"Tag": "latest", "Digest": "sha256:d", "Size": 3}
    world.sender.answers[BeginJob] = begun
    world.follower.tell(JobProgress(aux=aux), JobEnded())
    response = await world.client.post(f"/plugins/{plugin_id('a')[:5]}/push")
    assert json.loads(response.text) == {"progressDetail": {}, "aux": aux}
    assert _begin(world).request == JobRequest(
        kind=JobKind.PUSH, name="a/plugin:latest", remote="docker.io/a/plugin:latest"
    )
    assert "docker-plugin-name" not in response.headers


@pytest.mark.parametrize("name", ["a/plugin:latest", plugin_id("a"), "aaaa"])
async def test_upgrade(world: AppWorld, name: str) -> None:
    """An upgrade is addressed by name or id; the store hears the plugin's name."""
    _ends_well(world, waiting())
    response = await _post(world, f"/plugins/{name}/upgrade?remote=host:5000/q:v2", [_NETWORK])
    assert response.headers["docker-plugin-name"] == "a/plugin:latest"
    assert _begin(world).request == JobRequest(
        kind=JobKind.UPGRADE,
        name="a/plugin:latest",
        remote="host:5000/q:v2",
        privileges=(_NETWORK,),
    )


@pytest.mark.parametrize("verb", ["push", "upgrade?remote=p"])
async def test_no_such_plugin(world: AppWorld, verb: str) -> None:
    """What is not there can be neither pushed nor upgraded."""
    response = await _post(world, f"/plugins/nosuch/{verb}")
    assert response.status_code == 404
    assert response.json()["message"] == 'plugin "nosuch" not found'


async def test_enabled_plugin_is_not_upgraded(world: AppWorld) -> None:
    """The store's refusal answers as in dockerd."""
    error = errdefs.Conflict("plugin must be disabled before upgrading: plugin p is enabled")
    world.sender.answers[BeginJob] = error
    response = await _post(world, "/plugins/a/plugin/upgrade?remote=p")
    assert (response.status_code, response.json()["message"]) == (409, error.message)


async def test_credentials_are_sealed_to_the_job(world: AppWorld) -> None:
    """Credentials travel sealed for one job, with the headers for the registry beside them."""
    _ends_well(world)
    with structlog.testing.capture_logs() as logged:
        await _post(world, _PULL, X_Registry_Auth=_AUTH, X_Meta_One="1")
    command = _begin(world)
    assert command.request.credentials is not None
    opened = world.vault.open(command.request.credentials, command.job_id)
    assert json.loads(opened) == {"username": "u", "password": "s3cret"}
    assert command.request.meta_headers == {"X-Meta-One": ("1",)}
    assert "s3cret" not in f"{logged}{command}"


async def test_no_key_to_seal_with(world: AppWorld) -> None:
    """Without the pull service's key nothing is sent on that holds a secret."""
    world.vault.error = errdefs.Unavailable("start the pull service")
    assert (await _post(world, _PULL, X_Registry_Auth=_AUTH)).status_code == 503
    assert not world.sender.sent
    _ends_well(world)
    assert (await _post(world, _PULL, X_Registry_Auth="e30=")).status_code == 200


async def test_client_leaves_while_lines_come(world: AppWorld) -> None:
    """Who hangs up has the job cancelled."""
    asked = JobReply(job=job())
    world.sender.answers |= {BeginJob: begun, GetJob: asked, CancelJob: asked}
    world.follower.tell(waiting())
    await _hang_up(world, after_lines=1)
    assert world.sender.sent[-1] == CancelJob(job_id=_begin(world).job_id)


async def test_client_leaves_before_the_first_line(world: AppWorld) -> None:
    """Who hangs up while the job waits for its turn has it cancelled, too."""
    asked = JobReply(job=job())
    world.sender.answers |= {BeginJob: begun, GetJob: asked, CancelJob: asked}
    await _hang_up(world, after_lines=0)
    assert CancelJob(job_id=_begin(world).job_id) in world.sender.sent


async def _hang_up(world: AppWorld, *, after_lines: int) -> None:
    """Ask for a pull over bare ASGI, and leave after some lines."""
    hung_up = asyncio.Event()
    bodies: list[bytes] = []
    requests = [{"type": "http.request", "body": b"[]", "more_body": False}]

    async def receive() -> Any:
        if requests:
            return requests.pop()
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            bodies.append(message["body"])

    path, _, query = _PULL.partition("?")
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"content-type", b"application/json")],
    }
    serving = asyncio.create_task(world.app(scope, receive, send))
    await eventually(lambda: world.follower.readers and len(bodies) == after_lines)
    hung_up.set()
    async with asyncio.timeout(5):
        await serving
    assert world.follower.readers == 0


async def test_gateway_stops(world: AppWorld) -> None:
    """A gateway that stops cancels no job, and says in the last line that it goes on."""
    world.sender.answers[BeginJob] = begun
    world.follower.tell(waiting())
    pulling = asyncio.create_task(_post(world, _PULL))
    await eventually(lambda: world.follower.readers)
    world.watch.close()
    lines = (await pulling).text.splitlines()
    assert "goes on without it" in json.loads(lines[-1])["error"]
    assert not any(isinstance(command, CancelJob) for command in world.sender.sent)


async def test_privileges(world: AppWorld) -> None:
    """Privileges are what the pull service found, asked with credentials of their own."""
    world.sender.answers[GetPrivileges] = Privileges(privileges=(_NETWORK,))
    headers = {"X-Registry-Auth": _AUTH, "x-meta-a": "1"}
    response = await world.client.get("/plugins/privileges?remote=h:1/p", headers=headers)
    assert response.json() == [_NETWORK]
    (command,) = world.sender.sent
    assert isinstance(command, GetPrivileges)
    assert (command.remote, command.meta_headers) == ("h:1/p:latest", {"X-Meta-A": ("1",)})
    assert command.credentials is not None
    assert b"s3cret" in world.vault.open(command.credentials, command.subject)


async def test_no_privileges(world: AppWorld) -> None:
    """Where nothing is needed, the answer is null."""
    world.sender.answers[GetPrivileges] = Privileges(privileges=())
    response = await world.get("/plugins/privileges", remote="p")
    assert (response.status_code, response.text) == (200, "null\n")


async def test_privileges_of_nothing(world: AppWorld) -> None:
    """What went wrong at the registry is said, and not taken for an empty list."""
    world.sender.answers[GetPrivileges] = errdefs.NotFound("p:latest: not found")
    response = await world.get("/plugins/privileges", remote="p")
    assert (response.status_code, response.json()["message"]) == (404, "p:latest: not found")


def _login(world: AppWorld, token: bytes = b"") -> None:
    def answer(command: LogIn) -> LoggedIn:
        assert command.answer_key == world.vault.answer_key
        sealed = world.vault.seal(token, command.subject) if token else None
        return LoggedIn(status="Login Succeeded", identity_token=sealed)

    world.sender.answers[LogIn] = answer


@pytest.mark.parametrize("token", [b"", b"refresh"])
async def test_login(world: AppWorld, token: bytes) -> None:
    """A login answers what the registry said, an identity token opened."""
    _login(world, token)
    body = {"username": "u", "password": "s3cret", "serveraddress": "h:1"}
    response = await world.client.post("/auth", json=body)
    assert response.json() == {"IdentityToken": token.decode(), "Status": "Login Succeeded"}
    (command,) = world.sender.sent
    assert isinstance(command, LogIn)
    assert json.loads(world.vault.open(command.credentials, command.subject)) == body
    assert command.server_address == "h:1"


async def test_refused_login(world: AppWorld) -> None:
    """A registry's refusal has its status."""
    world.sender.answers[LogIn] = errdefs.Unauthenticated("unauthorized")
    assert (await world.client.post("/auth", json={"username": "u"})).status_code == 401


async def test_login_without_a_body(world: AppWorld) -> None:
    """A login must say something."""
    response = await world.client.post("/auth")
    assert (response.status_code, response.json()["message"]) == (500, "EOF")


async def test_verbs_are_not_taken_for_registries(world: AppWorld) -> None:
    """A plugin called pull is still a plugin."""
    world.sender.answers[EnablePlugin] = errdefs.NotFound('plugin "pull" not found')
    response = await world.client.post("/plugins/pull/enable?timeout=0")
    assert response.status_code == 404
