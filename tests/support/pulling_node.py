"""The store and the pull service of a node as processes, for tests that pull and push."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from services.pull.adapters.registry.client import Registry
from shared import errdefs
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.contracts.health import CheckHealth
from shared.contracts.job import BeginJob, JobEnded, JobProgress, JobRequest
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.reference import parse
from tests.support.faulty_registry import FaultyRegistry, answer, blob
from tests.support.plugin_image import FakeImage
from tests.support.redis import RedisServer
from tests.support.registry_client import Bytes

_NODE = "n1"
_START_S = 30.0
#: The store with a lease so short that a test can wait for its end; before anything reads it.
_QUICK_STORE = (
    "import sys\n"
    "from services.store.domain import job\n"
    "job.LEASE_S = float(sys.argv[1])\n"
    "from services.store.__main__ import main\n"
    "sys.exit(main())\n"
)


class PullingNode:
    """An async context manager that leaves no process and no file behind."""

    def __init__(self, redis: RedisServer, *, lease_s: float = 4.0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wherry-pull-"))
        self.root = self.folder / "root"
        self.bus = RedisBus(url=redis.url, node=_NODE, service="gateway")
        self._lease_s = lease_s
        self._env = {key: value for key, value in os.environ.items() if "WHERRY" not in key} | {
            "WHERRY_NODE": _NODE,
            "WHERRY_ROOT": str(self.root),
            "WHERRY_EXEC_ROOT": str(self.folder / "x"),
            "WHERRY_REDIS_URL": redis.url,
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self.pull: subprocess.Popen[bytes]

    async def __aenter__(self) -> Self:
        """Start both, and wait until they answer."""
        await self.bus.open()
        self._start("-c", _QUICK_STORE, str(self._lease_s))
        await self.start_pull()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all and remove the folders."""
        await self.bus.close()
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)

    async def start_pull(self) -> None:
        """Start the pull service, and wait until it takes jobs."""
        self.pull = self._start("-m", "services.pull")
        async with asyncio.timeout(_START_S):
            while True:
                if await self._is_ready():
                    return
                await asyncio.sleep(0.05)

    async def begin(self, job_id: str, **asked: Any) -> None:
        """Begin a job."""
        command = BeginJob(job_id=job_id, request=JobRequest(**asked))
        await self.bus.send(command, timeout_s=10)

    async def follow(self, job_id: str) -> AsyncIterator[JobProgress | JobEnded]:
        """Yield a job's progress to its end."""
        async for envelope, _ in Progress(bus=self.bus, job_id=job_id).follow():
            model = JobEnded if envelope.is_final else JobProgress
            yield model.model_validate_json(envelope.body)

    async def run(self, job_id: str, **asked: Any) -> tuple[list[str], JobEnded]:
        """Run a job to its end; return what was said and how it ended."""
        await self.begin(job_id, **asked)
        messages = [message async for message in self.follow(job_id)]
        ended = messages[-1]
        assert isinstance(ended, JobEnded)
        said = [message.status for message in messages if isinstance(message, JobProgress)]
        return said, ended

    def leftovers(self) -> list[str]:
        """Return what lies in the folder of work."""
        return [str(path.relative_to(self.root)) for path in (self.root / "work").rglob("*")]

    async def _is_ready(self) -> bool:
        with suppress(errdefs.Unavailable, errdefs.DeadlineExceeded):
            health = await self.bus.send(CheckHealth(), timeout_s=5, owner="pull")
            return health.pid == self.pull.pid and health.healthy
        return False

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, *arguments], env=self._env)
        self._processes.append(process)
        return process


def serve(registry: FaultyRegistry, path: str, tag: str, image: FakeImage) -> str:
    """Have a scripted registry serve a plugin well; return its reference."""
    for digest, body in image.blobs.items():
        registry.on("GET", f"/v2/{path}/blobs/{digest}", blob(body))
    described = {"Content_Type": image.media_type, "Docker_Content_Digest": image.digest}
    for name in (tag, image.digest):
        for method in ("GET", "HEAD"):
            answered = answer(200, image.manifest, **described)
            registry.on(method, f"/v2/{path}/manifests/{name}", answered)
    return f"{registry.authority}/{path}:{tag}"


@asynccontextmanager
async def client() -> AsyncIterator[Registry]:
    """Give a registry client."""
    registry = Registry()
    try:
        yield registry
    finally:
        await registry.aclose()


async def publish(remote: str, image: FakeImage) -> None:
    """Put a plugin into a real registry."""
    async with client() as registry:
        repository = registry.repository(parse(remote), push=True)
        for digest, body in image.blobs.items():
            if digest != image.digest:
                described = Descriptor(media_type="x", digest=Digest(digest), size=len(body))
                await repository.upload(described, Bytes(body=body))
        await repository.put_manifest(image.manifest, image.media_type)
