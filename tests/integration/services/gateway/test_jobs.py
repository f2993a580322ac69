"""Jobs on a real Redis: the gateway, a store on fakes, and a stand-in for the pull service."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator

import pytest

from shared.contracts.job import JobState
from tests.support.job_node import LAYER, NETWORK, JobNode, job_node, output_of
from tests.support.redis import RedisServer
from tests.support.wait import eventually

_AUTH = base64.urlsafe_b64encode(b'{"username":"u","password":"s3cret"}').decode()


@pytest.fixture
async def node(redis_server: RedisServer) -> AsyncIterator[JobNode]:
    """Run the node."""
    async with job_node(redis_server) as node:
        yield node


async def test_docker_install(node: JobNode) -> None:
    """The docker CLI installs a plugin, shows its progress, and finds it."""
    installing = await node.install()
    work = await node.puller.take()
    assert work.taken.request.privileges == (NETWORK,)
    await work.say("Pulling from host:5000/p", "v1")
    await work.say("Digest: sha256:ab")
    await work.say("Downloading", LAYER, current=1, total=2)
    await work.say("Complete", LAYER)
    await work.commit()
    output = await output_of(installing)
    assert installing.returncode == 0, output
    assert "v1: Pulling from host:5000/p\nDigest: sha256:ab\n" in output
    assert f"{LAYER}: Complete\n" in output
    assert "Installed plugin host:5000/p:v1" in output
    listed = await output_of(
        await node.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}")
    )
    assert listed == "host:5000/p:v1 false\n"


async def test_docker_shows_a_failure(node: JobNode) -> None:
    """The docker CLI ends with a job's error, whether lines came before it or not."""
    for said in (False, True):
        installing = await node.install()
        work = await node.puller.take()
        if said:
            await work.say("Pulling from host:5000/p", "v1")
        await work.fail("incorrect privileges")
        output = await output_of(installing)
        assert installing.returncode == 1
        assert "incorrect privileges" in output


async def test_bus_loses_its_data(node: JobNode, redis_server: RedisServer) -> None:
    """A job whose progress was lost goes on being followed, and its success is told."""
    installing = await node.install()
    work = await node.puller.take()
    await work.say("Pulling from host:5000/p", "v1")
    redis_server.flushall()
    await work.say("Complete", LAYER)
    await work.commit(silent=True)
    output = await output_of(installing)
    assert installing.returncode == 0, output
    assert len((await node.client.get("/plugins")).json()) == 1


@pytest.mark.parametrize("said", [False, True])
async def test_docker_is_interrupted(node: JobNode, *, said: bool) -> None:
    """Ctrl-C in the docker CLI cancels the job, before and after the first line."""
    installing = await node.install()
    work = await node.puller.take()
    if said:
        await work.say("Pulling from host:5000/p", "v1")
        assert installing.stdout is not None
        await installing.stdout.readline()
    assert not work.is_cancelled()
    installing.send_signal(signal.SIGINT)
    await eventually(work.is_cancelled)
    await output_of(installing)


async def test_hanging_up_cancels_only_jobs_of_ones_own(node: JobNode) -> None:
    """In the extension API, who began a job attached takes it along; who only looks does not."""
    body = {"remote": "host:5000/p"}
    beginning = node.client.stream("POST", "/wherry/v1/plugins/pull", json=body)
    async with asyncio.timeout(10), beginning as began:
        path = f"/wherry/v1/jobs/{began.headers['wherry-job-id']}/progress"
        work = await node.puller.take()
        await work.say("Waiting", LAYER)
        async with node.client.stream("GET", path) as looking:
            assert json.loads(await anext(looking.aiter_lines()))["status"] == "Waiting"
        assert not work.is_cancelled()
    await eventually(work.is_cancelled)


async def test_detached_job(node: JobNode) -> None:
    """A detached job outlives its request, is found by its key, listed and followed."""
    for _ in range(2):
        response = await node.client.post(
            "/wherry/v1/plugins/pull?detach=1",
            json={"remote": "host:5000/p"},
            headers={"Idempotency-Key": "k"},
        )
        assert response.status_code == 202
    (job,) = (await node.client.get("/wherry/v1/jobs")).json()["jobs"]
    work = await node.puller.take()
    assert work.job_id == job["job_id"]
    await work.say("Waiting", LAYER)
    await work.commit()
    text = (await node.client.get(f"/wherry/v1/jobs/{work.job_id}/progress")).text
    step, last = map(json.loads, text.splitlines())
    assert step["id"] == LAYER
    assert last["job"]["state"] == "done"


async def test_cancelled_job(node: JobNode) -> None:
    """A job is cancelled by its id."""
    response = await node.client.post(
        "/wherry/v1/plugins/pull?detach=1", json={"remote": "host:5000/p"}
    )
    work = await node.puller.take()
    await node.client.delete(f"/wherry/v1/jobs/{response.json()['job_id']}")
    assert work.is_cancelled()


async def test_name_taken_and_held(node: JobNode) -> None:
    """A name that a plugin or a job has is refused with dockerd's status."""
    await node.client.post("/wherry/v1/plugins/pull?detach=1", json={"remote": "host:5000/p"})
    path = "/plugins/pull?remote=host:5000/p"
    held = await node.client.post(path, json=[])
    assert (held.status_code, held.json()["message"].partition(" by job")[0]) == (
        409,
        "plugin host:5000/p:latest is being pulled",
    )
    await (await node.puller.take()).commit()
    taken = await node.client.post(path, json=[])
    assert (taken.status_code, taken.json()["message"]) == (
        400,
        "plugin host:5000/p:latest already exists",
    )


async def test_secrets(node: JobNode, redis_server: RedisServer) -> None:
    """Only the pull service can read credentials; no secret lies in Redis in the clear."""
    await node.client.post(
        "/wherry/v1/plugins/pull?detach=1",
        json={"remote": "host:5000/p"},
        headers={"X-Registry-Auth": _AUTH},
    )
    work = await node.puller.take()
    sealed = work.taken.request.credentials
    assert sealed is not None
    opened = json.loads(node.puller.opener.open(sealed, work.job_id))
    assert opened == {"username": "u", "password": "s3cret"}
    await work.commit()
    files = (redis_server.folder / "appendonlydir").glob("*.aof")
    written = b"".join(path.read_bytes() for path in files)
    assert sealed.box.encode() in written
    for secret in (b"s3cret", base64.b64encode(b"s3cret")[:-2], _AUTH.encode()):
        assert secret not in written


async def test_login(node: JobNode) -> None:
    """A login reaches the registry sealed, and its token comes back sealed."""
    body = {"username": "u", "password": "s3cret", "serveraddress": "host:5000"}
    response = await node.client.post("/auth", json=body)
    assert response.json() == {"IdentityToken": "refresh", "Status": "Login Succeeded"}


async def test_gateway_stops(node: JobNode) -> None:
    """A gateway that stops says that the job goes on, and cancels nothing."""
    installing = await node.install()
    work = await node.puller.take()
    await work.say("Pulling from host:5000/p", "v1")
    assert installing.stdout is not None
    await installing.stdout.readline()
    node.stop.set()
    assert "goes on without it" in await output_of(installing)
    assert not work.is_cancelled()
    await work.commit()
    record = node.store.inventory.job(work.job_id)
    assert record is not None
    assert record.job.state is JobState.DONE
