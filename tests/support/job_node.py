"""A gateway on a real Redis, a store on fakes, and a stand-in for the pull service."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.gateway.bootstrap import serve
from services.gateway.config import GatewayConfig
from services.store.entrypoints import bus as store_messages
from shared.bus.ports import Delivery
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.contracts.job import (
    CommitPlugin,
    FailJob,
    FinishPush,
    JobEnded,
    JobProgress,
    JobTaken,
    TakeJob,
)
from shared.contracts.pull import GetPrivileges, LoggedIn, LogIn, Privileges
from shared.node.config import NodeConfig
from shared.sealing import Opener, load_or_make_key, seal
from tests.support.redis import RedisServer
from tests.support.store import CONFIG, StoreUnderTest
from tests.support.wait import eventually

_CODE = Path(__file__).parents[2]

NETWORK = {"Name": "network", "Description": "d", "Value": ["host"]}
LAYER = "38aef52eed39"

#: By whether anything was granted: a plugin asks for just that.
_CONFIGS = {
    True: CONFIG.decode(),
    False: CONFIG.decode().replace(', "network": {"type": "host"}', ""),
}


@dataclass(slots=True, kw_only=True)
class Puller:
    """The pull service's side: it takes one job at a time, and goes on when the test says."""

    bus: RedisBus
    store: StoreUnderTest
    opener: Opener
    asked: list[GetPrivileges] = field(default_factory=list)

    def serve(self) -> None:
        self.bus.serve({GetPrivileges: self.privileges, LogIn: self.log_in})

    async def privileges(self, command: GetPrivileges, _arrival: Delivery) -> Privileges:
        self.asked.append(command)
        return Privileges(privileges=(NETWORK,))

    async def log_in(self, command: LogIn, _arrival: Delivery) -> LoggedIn:
        secret = json.loads(self.opener.open(command.credentials, command.subject))
        assert secret["password"] == "s3cret"
        token = seal(base64.b64decode(command.answer_key), b"refresh", command.subject)
        return LoggedIn(status="Login Succeeded", identity_token=token)

    async def take(self) -> Work:
        """Wait for a job and take it."""
        # A process of its own asks: on a busy machine it takes seconds to start.
        await eventually(lambda: self.store.queue.queued, limit_s=30)
        job_id = self.store.queue.queued.pop(0)
        taken = await self.bus.send(TakeJob(job_id=job_id, worker="w"), timeout_s=5)
        progress = Progress(bus=self.bus, job_id=job_id)
        return Work(bus=self.bus, store=self.store, job_id=job_id, taken=taken, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
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
            config=_CONFIGS[bool(self.taken.request.privileges)],
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

    async def finish_push(self) -> None:
        """End a push."""
        command = FinishPush(job_id=self.job_id, token=self.taken.token)
        await self.bus.send(command, timeout_s=5)
        await self.progress.write(JobEnded(), final=True)

    async def fail(self, message: str) -> None:
        error = {"code": "conflict", "message": message, "detail": {}}
        command = FailJob(job_id=self.job_id, token=self.taken.token, error=error)
        await self.bus.send(command, timeout_s=5)
        await self.progress.write(JobEnded(error=error), final=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNode:
    root: Path
    puller: Puller
    store: StoreUnderTest
    client: httpx.AsyncClient
    stop: asyncio.Event

    async def docker(self, *words: str) -> asyncio.subprocess.Process:
        """Start the docker CLI."""
        return await asyncio.create_subprocess_exec(
            *("docker", "-H", f"unix://{self.root / 'docker.sock'}", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "DOCKER_CONFIG": str(self.root)},
        )

    async def wherry(self, *words: str) -> asyncio.subprocess.Process:
        """Start Wherry's own CLI."""
        kept = {key: value for key, value in os.environ.items() if "WHERRY" not in key}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            cwd=_CODE,
            env={
                **kept,
                "WHERRY_SOCKET": str(self.root / "docker.sock"),
                "DOCKER_CONFIG": str(self.root),
            },
        )

    async def install(self) -> asyncio.subprocess.Process:
        return await self.docker(
            *("plugin", "install", "--disable", "--grant-all-permissions", "host:5000/p:v1")
        )


@contextlib.asynccontextmanager
async def job_node(redis_server: RedisServer) -> AsyncIterator[JobNode]:
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
        puller = Puller(bus=buses["pull"], store=store, opener=Opener(load_or_make_key(root)))
        puller.serve()
        for bus in buses.values():
            await bus.open()
        stop = asyncio.Event()
        gateway = RedisBus(url=redis_server.url, node="n", service="gateway")
        task = asyncio.create_task(serve(_config(root, redis_server.url), gateway, stop))
        await eventually((root / "docker.sock").exists)
        transport = httpx.AsyncHTTPTransport(uds=str(root / "docker.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            yield JobNode(root=root, puller=puller, store=store, client=client, stop=stop)
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


async def output_of(process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    return output.decode()
