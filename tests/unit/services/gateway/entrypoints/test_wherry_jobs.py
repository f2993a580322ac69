"""Jobs in the extension API, over ASGI."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from shared import errdefs
from shared.contracts.job import (
    BeginJob,
    CancelJob,
    GetJob,
    JobEnded,
    JobKind,
    JobList,
    JobReply,
    JobRequest,
    JobState,
    ListJobs,
)
from shared.contracts.pull import GetPrivileges, Privileges
from tests.support.gateway import plugin_id
from tests.support.gateway_app import AppWorld
from tests.support.gateway_jobs import begun, job, waiting

_AUTH = base64.urlsafe_b64encode(b'{"identitytoken":"s3cret"}').decode()
_DONE = JobReply(job=job(state=JobState.DONE))
_PRIVILEGE = {"name": "network", "description": "d", "value": ["host"]}
_DOCKERS = {"Name": "network", "Description": "d", "Value": ["host"]}


def _lines(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


async def _post(
    world: AppWorld, verb: str, body: dict[str, Any], query: str = "", **headers: str
) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    path = f"/wherry/v1/plugins/{verb}{query}"
    return await world.client.post(path, json=body, headers=named)


def _begin(world: AppWorld) -> BeginJob:
    (found,) = (command for command in world.sender.sent if isinstance(command, BeginJob))
    return found


async def test_pull(world: AppWorld) -> None:
    """A pull streams what its job tells, and at the end the job."""
    world.sender.answers |= {BeginJob: begun, GetJob: _DONE}
    world.follower.tell(waiting(), JobEnded())
    body = {"remote": "h:1/p", "name": "q", "privileges": [_PRIVILEGE]}
    response = await _post(world, "pull", body, X_Meta_A="1")
    assert response.headers["content-type"] == "application/x-ndjson"
    step, last = _lines(response)
    assert step == {"position": "1-0", "status": "Waiting", "id": "0123456789ab"}
    assert (last["job"]["job_id"], last["job"]["state"]) == ("j1", "done")
    command = _begin(world)
    assert response.headers["wherry-job-id"] == command.job_id
    assert command.request == JobRequest(
        kind=JobKind.PULL,
        name="q:latest",
        remote="h:1/p:latest",
        privileges=(_DOCKERS,),
        meta_headers={"X-Meta-A": ("1",)},
    )


@pytest.mark.parametrize("verb", ["pull", "upgrade"])
async def test_service_s_plugin(world: AppWorld, verb: str) -> None:
    """Whoever pulls or upgrades for a swarm service says for which, and with what environment."""
    world.sender.answers[BeginJob] = begun
    body = {"remote": "p", "name": "a/plugin", "env": ["foo=bar"], "swarm_service_id": "s1"}
    await _post(world, verb, body, "?detach=1")
    wish = _begin(world).request
    assert (wish.env, wish.swarm_service_id) == (("foo=bar",), "s1")


async def test_nothing_granted(world: AppWorld) -> None:
    """Who grants nothing has everything checked."""
    world.sender.answers[BeginJob] = begun
    await _post(world, "pull", {"remote": "p"}, "?detach=1")
    assert _begin(world).request.privileges == ()


async def test_detached(world: AppWorld) -> None:
    """A detached job is answered at once, and nobody follows it."""
    world.sender.answers[BeginJob] = begun
    response = await _post(world, "pull", {"remote": "p"}, "?detach=1", X_Registry_Auth=_AUTH)
    command = _begin(world)
    assert (response.status_code, response.json()["job_id"]) == (202, command.job_id)
    assert not world.follower.job_ids
    assert command.request.credentials is not None
    opened = world.vault.open(command.request.credentials, command.job_id)
    assert json.loads(opened) == {"identitytoken": "s3cret"}


async def test_push(world: AppWorld) -> None:
    """A push may name the plugin by its id."""
    world.sender.answers[BeginJob] = begun
    await _post(world, "push", {"name": plugin_id("a")}, "?detach=1")
    assert _begin(world).request == JobRequest(
        kind=JobKind.PUSH, name="a/plugin:latest", remote="docker.io/a/plugin:latest"
    )


@pytest.mark.parametrize(
    ("remote", "expected"),
    [("", "docker.io/a/plugin:latest"), ("h:1/p:v2", "h:1/p:v2")],
)
async def test_upgrade(world: AppWorld, remote: str, expected: str) -> None:
    """An upgrade goes to what the plugin was made from, unless something else is named."""
    world.sender.answers[BeginJob] = begun
    await _post(world, "upgrade", {"name": "a/plugin", "remote": remote}, "?detach=1")
    request = _begin(world).request
    assert (request.kind, request.name, request.remote) == (
        JobKind.UPGRADE,
        "a/plugin:latest",
        expected,
    )
    assert request.privileges == ()


async def test_idempotency_key(world: AppWorld) -> None:
    """The same key stands for the same job, on the same route."""
    world.sender.answers[BeginJob] = begun
    ids = []
    for verb, key in (("pull", "k"), ("pull", "k"), ("pull", "l"), ("upgrade", "k")):
        body = {"remote": "p"} if verb == "pull" else {"name": "a/plugin"}
        await _post(world, verb, body, "?detach=1", Idempotency_Key=key)
        ids.append(_begin(world).job_id)
        world.sender.calls.clear()
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


async def test_refused(world: AppWorld) -> None:
    """A job that can't be begun is refused by the class of its error."""
    world.sender.answers[BeginJob] = errdefs.AlreadyExists("plugin p:latest already exists")
    assert (await _post(world, "pull", {"remote": "p"})).status_code == 409
    assert (await _post(world, "pull", {"remote": "UPPER"})).status_code == 400
    assert (await _post(world, "pull", {})).status_code == 400
    assert (await _post(world, "push", {"name": "nosuch"})).status_code == 404


async def test_failed_job(world: AppWorld) -> None:
    """How a job failed is part of the job at the end."""
    error = errdefs.Conflict("the job was cancelled").to_wire()
    failed = JobReply(job=job(state=JobState.FAILED, error=error))
    world.sender.answers |= {BeginJob: begun, GetJob: failed}
    world.follower.tell(JobEnded(error=error))
    (last,) = _lines(await _post(world, "pull", {"remote": "p"}))
    assert last["job"]["error"] == error


async def test_nobody_can_tell(world: AppWorld) -> None:
    """When the store does not say how a job ended, that is the last line."""
    world.sender.answers |= {BeginJob: begun, GetJob: errdefs.Unavailable("no answer")}
    world.follower.tell(JobEnded())
    (last,) = _lines(await _post(world, "pull", {"remote": "p"}))
    assert last["problem"]["code"] == "unavailable"


async def test_list_get_and_cancel(world: AppWorld) -> None:
    """Jobs are listed, shown and cancelled."""
    world.sender.answers |= {
        ListJobs: JobList(jobs=(job("j2"), job("j1"))),
        GetJob: _DONE,
        CancelJob: JobReply(job=job(cancelled=True)),
    }
    listed = (await world.get("/wherry/v1/jobs")).json()["jobs"]
    assert [one["job_id"] for one in listed] == ["j2", "j1"]
    assert (await world.get("/wherry/v1/jobs/j1")).json()["state"] == "done"
    cancelled = await world.client.delete("/wherry/v1/jobs/j1")
    assert cancelled.json()["cancelled"] is True
    assert world.sender.sent[-1] == CancelJob(job_id="j1")


@pytest.mark.parametrize(("query", "headers"), [("?after=1-0", {}), ("", {"last-event-id": "1-0"})])
async def test_progress_from_a_position(
    world: AppWorld, query: str, headers: dict[str, str]
) -> None:
    """Who comes back reads on where they were."""
    world.sender.answers[GetJob] = _DONE
    world.follower.tell(waiting("a"), waiting("b"), JobEnded())
    path = f"/wherry/v1/jobs/j1/progress{query}"
    response = await world.client.get(path, headers={"accept": "text/event-stream", **headers})
    assert response.headers["content-type"] == "text/event-stream"
    step, last = response.text.strip().split("\n\n")
    assert step == 'id: 2-0\ndata: {"position":"2-0","status":"Waiting","id":"b"}'
    assert last.startswith('event: job\ndata: {"job":{"job_id":"j1"')


@pytest.mark.parametrize(("query", "header"), [("?after=x", ""), ("", "1"), ("?after=1-0x", "")])
async def test_wrong_position(world: AppWorld, query: str, header: str) -> None:
    """What is no position is refused before anything is streamed."""
    path = f"/wherry/v1/jobs/j1/progress{query}"
    response = await world.client.get(path, headers={"last-event-id": header})
    assert response.status_code == 400


async def test_progress_of_no_job(world: AppWorld) -> None:
    """A job that is not there has no progress."""
    world.sender.answers[GetJob] = errdefs.NotFound("job j1 not found")
    response = await world.get("/wherry/v1/jobs/j1/progress")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_privileges(world: AppWorld) -> None:
    """Privileges have the API's own keys."""
    world.sender.answers[GetPrivileges] = Privileges(privileges=(_DOCKERS,))
    response = await world.get("/wherry/v1/plugins/privileges", remote="p")
    assert response.json() == {"privileges": [_PRIVILEGE]}
