"""Jobs on a real Redis: the gateway, a store on fakes, and a stand-in for the pull service."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.gateway.bootstrap import serve
from services.gateway.config import GatewayConfig
from services.store.entrypoints import bus as store_messages
from shared.bus.ports import Delivery
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.contracts.job import (
    CommitPlugin,
    FailJob,
    JobEnded,
    JobProgress,
    JobState,
    JobTaken,
    TakeJob,
)
from shared.contracts.pull import GetPrivileges, LoggedIn, LogIn, Privileges
from shared.node.config import NodeConfig
from shared.sealing import Opener, load_or_make_key, seal
from tests.support.redis import RedisServer
from tests.support.store import CONFIG, StoreUnderTest
from tests.support.wait import eventually

_NETWORK = {"Name": "network", "Description": "d", "Value": ["host"]}
_AUTH = base64.urlsafe_b64encode(b'{"username":"u","password":"s3cret"}').decode()
_LAYER = "38aef52eed39"


@dataclass(slots=True, kw_only=True)
class _Puller:
    """The pull service's side: it takes one job at a time, and goes on when the test says."""

    bus: RedisBus
    store: StoreUnderTest
    opener: Opener
    asked: list[GetPrivileges] = field(default_factory=list)

    def serve(self) -> None:
        self.bus.serve({GetPrivileges: self.privileges, LogIn: self.log_in})

    async def privileges(self, command: GetPrivileges, _arrival: Delivery) -> Privileges:
        self.asked.append(command)
        return Privileges(privileges=(_NETWORK,))

    async def log_in(self, command: LogIn, _arrival: Delivery) -> LoggedIn:
        secret = json.loads(self.opener.open(command.credentials, command.subject))
        assert secret["password"] == "s3cret"
        token = seal(base64.b64decode(command.answer_key), b"refresh", command.subject)
        return LoggedIn(status="Login Succeeded", identity_token=token)

    async def take(self) -> _Work:
        """Wait for a job and take it."""
        await eventually(lambda: self.store.queue.queued)
        job_id = self.store.queue.queued.pop(0)
        taken = await self.bus.send(TakeJob(job_id=job_id, worker="w"), timeout_s=5)
        progress = Progress(bus=self.bus, job_id=job_id)
        return _Work(bus=self.bus, store=self.store, job_id=job_id, taken=taken, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A job in hand."""

    bus: RedisBus
    store: StoreUnderTest
    job_id: str
    taken: JobTaken
    progress: Progress

    async def say(self, status: str, about: str = "", **more: Any) -> None:
        await self.progress.write(JobProgress(status=status, id=about, **more))

    async def commit(self, *, silent: bool = False) -> None:
        """Make the plugin; a silent worker dies before it tells of it."""
        self.store.fake_folders.staged.add(self.job_id)
        command = CommitPlugin(
            job_id=self.job_id,
            token=self.taken.token,
            config=CONFIG.decode(),
            config_digest=f"sha256:{'c' * 64}",
            manifest_digest=f"sha256:{'d' * 64}",
            layer_digests=(f"sha256:{'e' * 64}",),
        )
        changed = await self.bus.send(command, timeout_s=5)
        if not silent:
            await self.progress.write(JobEnded(changed=changed), final=True)

    def is_cancelled(self) -> bool:
        record = self.store.inventory.job(self.job_id)
        return record is not None and record.job.cancelled

    async def fail(self, message: str) -> None:
        error = {"code": "conflict", "message": message, "detail": {}}
        command = FailJob(job_id=self.job_id, token=self.taken.token, error=error)
        await self.bus.send(command, timeout_s=5)
        await self.progress.write(JobEnded(error=error), final=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    root: Path
    puller: _Puller
    store: StoreUnderTest
    client: httpx.AsyncClient
    stop: asyncio.Event

    async def docker(self, *words: str) -> asyncio.subprocess.Process:
        """Start the docker CLI."""
        return await asyncio.create_subprocess_exec(
            *("docker", "-H", f"unix://{self.root / 'docker.sock'}", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "DOCKER_CONFIG": str(self.root)},
        )

    async def install(self) -> asyncio.subprocess.Process:
        return await self.docker(
            *("plugin", "install", "--disable", "--grant-all-permissions", "host:5000/p:v1")
        )


@pytest.fixture
async def node(redis_server: RedisServer) -> AsyncIterator[_Node]:
    """Run a gateway, and on other ends of the bus the store and the worker."""
    with tempfile.TemporaryDirectory(prefix="wherry-gj-") as name:
        root = Path(name)
        buses = {
            service: RedisBus(url=redis_server.url, node="n", service=service)
            for service in ("store", "pull")
        }
        store = StoreUnderTest()
        await store.start()
        buses["store"].serve(store_messages.commands(store))
        puller = _Puller(bus=buses["pull"], store=store, opener=Opener(load_or_make_key(root)))
        puller.serve()
        for bus in buses.values():
            await bus.open()
        stop = asyncio.Event()
        gateway = RedisBus(url=redis_server.url, node="n", service="gateway")
        task = asyncio.create_task(serve(_config(root, redis_server.url), gateway, stop))
        await eventually((root / "docker.sock").exists)
        transport = httpx.AsyncHTTPTransport(uds=str(root / "docker.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            yield _Node(root=root, puller=puller, store=store, client=client, stop=stop)
        stop.set()
        await task
        for bus in buses.values():
            await bus.close()
        await store.close()


def _config(root: Path, redis_url: str) -> GatewayConfig:
    node = NodeConfig(
        name="n",
        root=root,
        exec_root=root,
        socket=root / "docker.sock",
        redis_url=redis_url,
        private_redis=True,
    )
    return GatewayConfig.load(node, {})


async def _output(process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    return output.decode()


async def test_docker_install(node: _Node) -> None:
    """The docker CLI installs a plugin, shows its progress, and finds it."""
    installing = await node.install()
    work = await node.puller.take()
    assert work.taken.request.privileges == (_NETWORK,)
    await work.say("Pulling from host:5000/p", "v1")
    await work.say("Digest: sha256:ab")
    await work.say("Downloading", _LAYER, current=1, total=2)
    await work.say("Complete", _LAYER)
    await work.commit()
    output = await _output(installing)
    assert installing.returncode == 0, output
    assert "v1: Pulling from host:5000/p\nDigest: sha256:ab\n" in output
    assert f"{_LAYER}: Complete\n" in output
    assert "Installed plugin host:5000/p:v1" in output
    listed = await _output(await node.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}"))
    assert listed == "host:5000/p:v1 false\n"


async def test_docker_shows_a_failure(node: _Node) -> None:
    """The docker CLI ends with a job's error, whether lines came before it or not."""
    for said in (False, True):
        installing = await node.install()
        work = await node.puller.take()
        if said:
            await work.say("Pulling from host:5000/p", "v1")
        await work.fail("incorrect privileges")
        output = await _output(installing)
        assert installing.returncode == 1
        assert "incorrect privileges" in output


async def test_bus_loses_its_data(node: _Node, redis_server: RedisServer) -> None:
    """A job whose progress was lost goes on being followed, and its success is told."""
    installing = await node.install()
    work = await node.puller.take()
    await work.say("Pulling from host:5000/p", "v1")
    redis_server.flushall()
    await work.say("Complete", _LAYER)
    await work.commit(silent=True)
    output = await _output(installing)
    assert installing.returncode == 0, output
    assert len((await node.client.get("/plugins")).json()) == 1


@pytest.mark.parametrize("said", [False, True])
async def test_docker_is_interrupted(node: _Node, *, said: bool) -> None:
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
    await _output(installing)


async def test_hanging_up_cancels_only_jobs_of_ones_own(node: _Node) -> None:
    """In the extension API, who began a job attached takes it along; who only looks does not."""
    body = {"remote": "host:5000/p"}
    beginning = node.client.stream("POST", "/wherry/v1/plugins/pull", json=body)
    async with asyncio.timeout(10), beginning as began:
        path = f"/wherry/v1/jobs/{began.headers['wherry-job-id']}/progress"
        work = await node.puller.take()
        await work.say("Waiting", _LAYER)
        async with node.client.stream("GET", path) as looking:
            assert json.loads(await anext(looking.aiter_lines()))["status"] == "Waiting"
        assert not work.is_cancelled()
    await eventually(work.is_cancelled)


async def test_detached_job(node: _Node) -> None:
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
    await work.say("Waiting", _LAYER)
    await work.commit()
    text = (await node.client.get(f"/wherry/v1/jobs/{work.job_id}/progress")).text
    step, last = map(json.loads, text.splitlines())
    assert step["id"] == _LAYER
    assert last["job"]["state"] == "done"


async def test_cancelled_job(node: _Node) -> None:
    """A job is cancelled by its id."""
    response = await node.client.post(
        "/wherry/v1/plugins/pull?detach=1", json={"remote": "host:5000/p"}
    )
    work = await node.puller.take()
    await node.client.delete(f"/wherry/v1/jobs/{response.json()['job_id']}")
    assert work.is_cancelled()


async def test_name_taken_and_held(node: _Node) -> None:
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


async def test_secrets(node: _Node, redis_server: RedisServer) -> None:
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


async def test_login(node: _Node) -> None:
    """A login reaches the registry sealed, and its token comes back sealed."""
    body = {"username": "u", "password": "s3cret", "serveraddress": "host:5000"}
    response = await node.client.post("/auth", json=body)
    assert response.json() == {"IdentityToken": "refresh", "Status": "Login Succeeded"}


async def test_gateway_stops(node: _Node) -> None:
    """A gateway that stops says that the job goes on, and cancels nothing."""
    installing = await node.install()
    work = await node.puller.take()
    await work.say("Pulling from host:5000/p", "v1")
    assert installing.stdout is not None
    await installing.stdout.readline()
    node.stop.set()
    assert "goes on without it" in await _output(installing)
    assert not work.is_cancelled()
    await work.commit()
    record = node.store.inventory.job(work.job_id)
    assert record is not None
    assert record.job.state is JobState.DONE
