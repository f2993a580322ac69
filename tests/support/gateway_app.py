"""The gateway's application on stand-ins, spoken to over ASGI."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from services.gateway.adapters.archives import FolderArchives
from services.gateway.adapters.content import DiskContent
from services.gateway.adapters.spool import FolderSpool
from services.gateway.adapters.tokens import TokensOnDisk
from services.gateway.bootstrap import Gateway
from services.gateway.config import GatewayConfig
from services.gateway.domain.host import Host, Versions
from services.gateway.entrypoints.app import App
from services.gateway.entrypoints.ready import ReadyAnswers
from services.gateway.ports import Lost
from services.gateway.service.access import Access
from services.gateway.service.archives import Archives
from services.gateway.service.execs import PluginExecs
from services.gateway.service.feed import Feed
from services.gateway.service.job_watch import JobWatch
from services.gateway.service.jobs import Jobs
from services.gateway.service.logs import PluginLogs
from services.gateway.service.look import PluginLook
from services.gateway.service.replica import Replica
from services.gateway.service.upgrades import Upgrades
from services.gateway.service.visibility import Visibility
from services.gateway.service.volumes import Volumes
from shared.contracts.event import ReadFeed
from shared.contracts.store import GetInventory, PluginChanged
from shared.node.config import NodeConfig
from tests.support.bus import FakePublisher, FakeSender
from tests.support.gateway import FakeChanges, FakeFeed, plugin, snapshot
from tests.support.gateway_jobs import FakeFollower, FakeVault
from tests.support.gateway_streams import FakeStreams

_HOST = Host(
    kernel_version="6.1.0",
    operating_system="Debian",
    os_version="12",
    machine="x86_64",
    arch="amd64",
    cpus=2,
    memory_bytes=1024,
    cgroup_version="1",
    limits={"MemoryLimit": True, "SwapLimit": True, "PidsLimit": True},
)


class _Programs:
    """ports.Programs that are asked by the first who wants to know."""

    def __init__(self) -> None:
        self.are_known = False

    @property
    def found(self) -> dict[str, Versions]:
        return {"runc": Versions(version="1.1.5")} if self.are_known else {}

    async def known(self) -> dict[str, Versions]:
        self.are_known = True
        return self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class AppWorld:
    """A served node, and what it stands on."""

    app: App
    #: What answers plain reads before it.
    ready: ReadyAnswers
    client: httpx.AsyncClient
    sender: FakeSender
    replica: Replica
    #: What the store publishes.
    changes: FakeChanges
    #: What the audit is told.
    publisher: FakePublisher
    kept: FakeFeed
    #: What the event service publishes.
    published: FakeChanges
    feed: Feed
    spool: FolderSpool
    staging: Path
    vault: FakeVault
    #: What jobs tell.
    follower: FakeFollower
    watch: JobWatch
    #: The executor's.
    streams: FakeStreams
    look: PluginLook
    #: Set, the gateway is to end.
    stopping: asyncio.Event

    async def change(self, change: PluginChanged) -> None:
        """Have the store publish a change, and wait until it is taken in."""
        self.changes.put(change)
        await self.replica.until(lambda now: now.contains(change.epoch, change.revision), 5.0)

    async def get(self, path: str, **query: str) -> httpx.Response:
        """GET with a query."""
        return await self.client.get(path, params=query)


def _config(root: Path) -> GatewayConfig:
    node = NodeConfig(
        name="n",
        root=root,
        exec_root=root,
        socket=root / "docker.sock",
        redis_url="redis://",
        private_redis=False,
    )
    env = {"WHERRY_CONTEXT_LIMIT": "1000", "OTEL_TRACES_EXPORTER": "otlp"}
    return GatewayConfig.load(node, env)


@contextlib.asynccontextmanager
async def serving(root: Path, access: Access | None = None) -> AsyncIterator[AppWorld]:
    """Serve a node with one disabled plugin."""
    changes, published, kept = FakeChanges(), FakeChanges(), FakeFeed()
    publisher = FakePublisher()
    sender = FakeSender({GetInventory: snapshot(4, plugin("a")), ReadFeed: kept.answer})
    replica = Replica(sender=sender, changes=changes, patience_s=0.2)
    volumes = Volumes(
        sender=sender, create_timeout_s=120.0, call_timeout_s=60.0, list_timeout_s=5.0
    )
    feed = Feed(
        sender=sender,
        changes=published,
        positions=lambda: (replica.inventory.newest, *volumes.reached),
    )
    spool = FolderSpool(root / "staging", limit=1000)
    spool.prepare(stale_s=60)
    vault, follower = FakeVault(), FakeFollower()
    jobs = Jobs(sender=sender, vault=vault)
    streams = FakeStreams()
    look = PluginLook(sender=sender, replica=replica, interval_s=0.001)
    stopping = asyncio.Event()
    watch = JobWatch(
        jobs=jobs,
        follower=follower,
        visibility=Visibility(replica=replica, feed=feed),
        look_s=0.05,
        first_look_s=0.05,
    )
    gateway = Gateway(
        config=_config(root),
        access=access
        or Access(tokens=TokensOnDisk(root / "tokens.json", is_named=False), clock=time.monotonic),
        host=_HOST,
        sender=sender,
        publisher=publisher,
        replica=replica,
        feed=feed,
        spool=spool,
        programs=_Programs(),
        vault=vault,
        jobs=jobs,
        watch=watch,
        logs=PluginLogs(replica=replica, streams=streams),
        look=look,
        volumes=volumes,
        execs=PluginExecs(sender=sender, replica=replica, streams=streams),
        upgrades=Upgrades(sender=sender, vault=vault),
        archives=Archives(
            sender=sender,
            replica=replica,
            content=DiskContent(root / "content"),
            spool=FolderArchives(root, limit=1000),
        ),
        is_stopping=stopping.is_set,
    )
    app, ready = gateway.app()
    assert ready is not None
    # Beside an application that records them: what lies ready is looked at by itself.
    ready.is_recorded = False
    running = [asyncio.create_task(work) for work in (replica.run(), feed.run())]
    changes.put(Lost())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        await replica.ready()
        sender.calls.clear()
        yield AppWorld(
            app=app,
            ready=ready,
            client=client,
            sender=sender,
            replica=replica,
            changes=changes,
            publisher=publisher,
            kept=kept,
            published=published,
            feed=feed,
            spool=spool,
            staging=root / "staging",
            vault=vault,
            follower=follower,
            watch=watch,
            streams=streams,
            look=look,
            stopping=stopping,
        )
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
