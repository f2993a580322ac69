"""Many plugins on many nodes upgraded as one: `python -m tests.bench.simulation --help`.

Bus, stores and controller are the real ones, the controller a process of its own. Executors and
registries are stand-ins, so that what is measured is what a batch costs beside the plugins' own
work.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from services.store.adapters.content import DiskContent
from services.store.adapters.folders import DiskFolders
from services.store.adapters.records import MIGRATIONS, SqliteRecords
from services.store.bootstrap import build
from services.store.config import StoreConfig
from services.store.domain.operation import Change, Unit
from services.store.entrypoints import bus as messages
from services.store.service.inventory import PluginInventory
from services.store.service.store import Store
from shared import errdefs
from shared.bus.progress import Progress
from shared.bus.redis_bus import RedisBus
from shared.bus.relay import Relay
from shared.bus.settings import BusSettings
from shared.contracts import batch as contracts
from shared.contracts import executor, job
from shared.contracts.batch import BatchRequest, BatchState, Selector, Target, UpdateConfig
from shared.contracts.job import JobEnded, JobKind
from shared.contracts.node import Heartbeat, ListNodes
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.pull import DescribePlugin, RemotePlugin
from shared.node.config import NodeConfig
from shared.sqlite import Database
from shared.telemetry import set_up_logs
from tests.support.executor import FakeExecutor
from tests.support.redis import RedisServer

_CODE: Final = Path(__file__).parents[2]
_OLD, _NEW = (f"sha256:{letter * 64}" for letter in "ab")
_CONFIG: Final[dict[str, Any]] = {
    "description": "new",
    "entrypoint": ["/p"],
    "interface": {"types": ["docker.dummy/1.0"], "socket": "p.sock"},
    "network": {"type": "host"},
}
#: Many buses in one process: none has to notice a loss quickly.
_PATIENT = BusSettings(block_s=20.0, group_block_s=20.0, lease_s=120.0)
_BEAT_S: Final = 4.0
_ANSWER_S: Final = 60.0
#: What the controller may grow by while the batch goes on, and how long that may take.
_MOST_GROWTH: Final = 1.2
_LIMIT_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Executor:
    """The stand-in of a node's executor, on its bus."""

    fake: FakeExecutor

    def serve(self, bus: RedisBus) -> None:
        """Answer the store's commands."""
        commands = (
            executor.StartContainer,
            executor.StopContainer,
            executor.CheckContainer,
            executor.DeleteContainer,
            executor.DiscardContainer,
            executor.GetContainer,
            executor.ListContainers,
            executor.UnmountTree,
            executor.ClearLeftovers,
        )
        bus.serve(dict.fromkeys(commands, self._answer))

    async def _answer(self, command: Any, _delivery: object) -> Any:
        return await self.fake.send(command, timeout_s=1.0)


class _Worker:
    """The stand-in of a node's pull service: ports.JobQueue of its store, and its worker."""

    def __init__(self, bus: RedisBus, root: Path) -> None:
        self._bus = bus
        self._root = root
        self._running: set[asyncio.Task[None]] = set()
        self.prefetches = 0

    def serve(self) -> None:
        """Answer what a reference stands for."""
        self._bus.serve({DescribePlugin: self._describe})

    async def enqueue(self, job_id: str, *, is_patient: bool = False) -> None:
        """Do a job beside others."""
        assert is_patient
        task = asyncio.create_task(self._do(job_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _describe(self, _command: DescribePlugin, _delivery: object) -> RemotePlugin:
        return RemotePlugin(
            config=json.dumps(_CONFIG), manifest_digest=_NEW, layer_digests=(), resolved_digest=_NEW
        )

    async def _do(self, job_id: str) -> None:
        try:
            taken = await self._send(job.TakeJob(job_id=job_id, worker="w"))
        except errdefs.Error:
            return  # a second message, and the job is over
        await self._send(job.KeepBlobs(job_id=job_id, token=taken.token, digests=(_NEW,)))
        if taken.request.kind is JobKind.PREFETCH:
            self.prefetches += 1
            await self._send(job.FinishPush(job_id=job_id, token=taken.token))
            await Progress(bus=self._bus, job_id=job_id).write(JobEnded(), final=True)
            return
        await asyncio.to_thread((self._root / "work" / job_id / "rootfs").mkdir, parents=True)
        await self._send(
            job.CommitPlugin(
                job_id=job_id,
                token=taken.token,
                config=json.dumps(_CONFIG),
                config_digest=_NEW,
                manifest_digest=_NEW,
                layer_digests=(),
            )
        )

    async def _send(self, command: Any) -> Any:
        return await self._bus.send(command, timeout_s=_ANSWER_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A node: its real store, and what stands for the rest."""

    name: str
    store: Store
    inventory: PluginInventory
    worker: _Worker


@contextlib.asynccontextmanager
async def _node(name: str, folder: Path, redis_url: str, plugins: int) -> AsyncIterator[_Node]:
    """Run a node with plugins that are enabled."""
    root = folder / name
    config = StoreConfig.load(_config(name, root, redis_url), {})
    database = Database(config.database, MIGRATIONS)
    await database.open()
    records = SqliteRecords(database, time.time_ns)
    for number in range(plugins):
        await records.commit(Unit(changes=(Change.of(_plugin(name, number)),)))
    buses = {
        service: RedisBus(url=redis_url, node=name, service=service, settings=_PATIENT)
        for service in ("store", "executor", "pull")
    }
    worker = _Worker(buses["pull"], root)
    content = DiskContent(root / "content", root / "work")
    folders = DiskFolders(root, content)
    content.make_folders()
    folders.make_folders()
    relay = Relay(
        bus=buses["store"],
        epoch=(await records.load()).epoch,
        read_after=records.published_after,
        last_number=records.last_revision,
    )
    inventory = PluginInventory(records, committed=relay.wake)
    queue: Any = worker
    store = build(config, buses["store"], folders, content, inventory, database, queue)
    buses["store"].serve(messages.commands(store))
    buses["store"].on_reconnect(store.reconnected)
    worker.serve()
    _Executor(fake=FakeExecutor()).serve(buses["executor"])
    for service in ("executor", "pull", "store"):
        if service == "store":
            await store.start()
        await buses[service].open()
        await buses[service].wait_connected(_ANSWER_S)
    relaying = asyncio.create_task(relay.run())
    try:
        yield _Node(name=name, store=store, inventory=inventory, worker=worker)
    finally:
        relaying.cancel()
        await store.close()
        for bus in buses.values():
            await bus.close()
        await folders.close()
        await database.close()


def _config(name: str, root: Path, redis_url: str) -> NodeConfig:
    return NodeConfig.from_env(
        {
            "WHERRY_NODE": name,
            "WHERRY_ROOT": str(root),
            "WHERRY_EXEC_ROOT": str(root / "x"),
            "WHERRY_REDIS_URL": redis_url,
        }
    )


def _plugin(node: str, number: int) -> Plugin:
    name = f"p{number}"
    return Plugin(
        plugin_id=(f"{node}{name}".encode().hex() + "0" * 64)[:64],
        name=f"{name}:latest",
        reference="registry.example/p:v1",
        enabled=True,
        config={"Interface": {"Types": ["docker.dummy/1.0"], "Socket": "p.sock"}},
        settings={"Env": [], "Args": [], "Mounts": [], "Devices": []},
        config_digest=_OLD,
        manifest_digest=_OLD,
        created_at_ns=1,
    )


@contextlib.contextmanager
def _controller(folder: Path, redis_url: str) -> Iterator[int]:
    """Run the controller of the first node as a process of its own, and give its pid."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WHERRY_")}
    root = folder / "controller"
    with (folder / "controller.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.controller"],
            cwd=_CODE,
            env={
                **kept,
                "WHERRY_NODE": "n000",
                "WHERRY_ROOT": str(root),
                "WHERRY_EXEC_ROOT": str(root / "x"),
                "WHERRY_REDIS_URL": redis_url,
                "WHERRY_LOG_LEVEL": "warn",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


async def _beat(client: RedisBus, names: list[str]) -> None:
    while True:
        for name in names:
            with contextlib.suppress(errdefs.Error):
                await client.send(Heartbeat(node=name, version="1"), timeout_s=_BEAT_S)
        await asyncio.sleep(_BEAT_S)


def _memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("no Pss")


def _cpu_s(pid: int) -> float:
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    took_s: float
    #: The controller's memory once the plan was made, at most after it, and at the end.
    planned_mb: float
    most_mb: float
    ended_mb: float
    state: str
    counts: dict[str, int]
    prefetches: int
    upgraded: int
    #: Processor time of the controller, from its start on.
    cpu_s: float


async def _simulate(folder: Path, url: str, nodes: int, plugins: int, parallelism: int) -> _Found:
    names = [f"n{number:03}" for number in range(nodes)]
    async with contextlib.AsyncExitStack() as stack:
        each = plugins // nodes
        made = [await stack.enter_async_context(_node(name, folder, url, each)) for name in names]
        client = RedisBus(url=url, node="n000", service="gateway", settings=replace(_PATIENT))
        await client.open()
        stack.push_async_callback(client.close)
        pid = stack.enter_context(_controller(folder, url))
        beating = asyncio.create_task(_beat(client, names))
        stack.callback(beating.cancel)
        await _until_known(client, nodes)
        await _until_running(made)
        return await _upgrade(client, made, pid, parallelism)


async def _until_known(client: RedisBus, count: int) -> None:
    while True:
        with contextlib.suppress(errdefs.Error):
            fleet = await client.send(ListNodes(), timeout_s=5.0)
            if len(fleet.nodes) == count:
                return
        await asyncio.sleep(0.2)


async def _until_running(nodes: list[_Node]) -> None:
    """Wait until all plugins run, as after the start of their hosts."""
    plugins = [plugin for node in nodes for plugin in node.inventory.all()]
    while any(plugin.status.state is not PluginState.RUNNING for plugin in plugins):
        await asyncio.sleep(0.2)
        plugins = [plugin for node in nodes for plugin in node.inventory.all()]


async def _upgrade(client: RedisBus, nodes: list[_Node], pid: int, parallelism: int) -> _Found:
    request = BatchRequest(
        selector=Selector(enabled=True),
        target=Target(tag="v2"),
        update=UpdateConfig(parallelism=parallelism, monitor_s=0),
        policy=contracts.PrivilegePolicy.GRANT_ALL,
    )
    began = time.monotonic()
    await client.send(contracts.CreateBatch(batch_id="sim", request=request), timeout_s=30)
    planned_mb, most_mb, position = 0.0, 0.0, ""
    while True:
        question = contracts.WatchBatch(batch_id="sim", position=position, wait_s=5.0)
        changes = await client.send(question, timeout_s=_ANSWER_S)
        position, batch = changes.position, changes.batch
        memory_mb = _memory_mb(pid)
        if batch.state is BatchState.UPDATING:
            planned_mb = planned_mb or memory_mb
            most_mb = max(most_mb, memory_mb)
        if batch.is_over or batch.state is BatchState.PAUSED:
            break
    return _Found(
        took_s=time.monotonic() - began,
        planned_mb=planned_mb,
        most_mb=most_mb,
        ended_mb=_memory_mb(pid),
        state=f"{batch.state} {batch.message}".strip(),
        counts=batch.counts,
        cpu_s=_cpu_s(pid),
        prefetches=sum(node.worker.prefetches for node in nodes),
        upgraded=sum(
            plugin.manifest_digest == _NEW for node in nodes for plugin in node.inventory.all()
        ),
    )


@click.command()
@click.option("--nodes", default=100, show_default=True)
@click.option("--plugins", default=1000, show_default=True, help="On all nodes together.")
@click.option("--parallelism", default=50, show_default=True)
def main(*, nodes: int, plugins: int, parallelism: int) -> None:
    """Upgrade many plugins on many nodes of which only stores and controller are real.

    Fails when it takes five minutes, when the controller grows, or when a plugin is left out.
    """
    set_up_logs("simulation", {"WHERRY_LOG_LEVEL": "error"})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = Path(tempfile.mkdtemp(prefix="ws-", dir="/tmp"))
    try:
        with RedisServer() as redis:
            found = asyncio.run(_simulate(folder, redis.url, nodes, plugins, parallelism))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    click.echo(
        f"{found.upgraded} of {plugins} plugins on {nodes} nodes, {parallelism} at a time: "
        f"{found.state}, {found.counts}, {found.prefetches} prefetches, {found.took_s:.1f} s; "
        f"controller {found.cpu_s:.1f} s of processor time, {found.planned_mb:.1f} MB with the "
        f"plan, {found.most_mb:.1f} MB at most, "
        f"{found.ended_mb:.1f} MB at the end"
    )
    is_well = found.upgraded == plugins and found.counts == {"upgraded": plugins}
    is_flat = found.most_mb <= _MOST_GROWTH * found.planned_mb
    if not (is_well and is_flat and found.took_s <= _LIMIT_S):
        raise click.ClickException("it is not what it is to be")


if __name__ == "__main__":
    main()
