"""A feed of its own: Redis, the event service, a gateway, and a store that only publishes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from shared.bus import names
from shared.bus.envelope import Envelope
from shared.bus.ports import Delivery
from shared.bus.redis_bus import RedisBus
from shared.contracts.capability import RegisterHandler, RegisterRuntimeOption
from shared.contracts.message import Done
from shared.contracts.plugin import Plugin
from shared.contracts.store import Fact, GetInventory, Inventory, PluginChanged
from tests.bench.api import Api
from tests.bench.failure import BenchFailed
from tests.bench.side import wait_for
from tests.support.redis import RedisServer

_NODE, _EPOCH = "feed", "bench"
_BATCH = 100
#: Events under way at most: it is to be sustained, not swallowed.
_AHEAD = 2_000
_LIMIT_S = 120.0
_STOP_LIMIT_S = 20.0
_LINE_END = b"}\n"
_PLUGIN = Plugin(
    plugin_id="a" * 64,
    name="bench/told:latest",
    reference="bench/told:latest",
    enabled=False,
    config={"Interface": {"Socket": "p.sock", "Types": ["docker.volumedriver/1.0"]}},
    settings={"Args": [], "Devices": [], "Env": ["DEFAULT_SIZE=1m"], "Mounts": []},
    config_digest="sha256:" + "c" * 64,
    manifest_digest="sha256:" + "d" * 64,
    created_at_ns=1,
)


def events_per_s(folder: Path, count: int) -> float:
    """Have *count* events go from the store's stream to a reader of GET /events.

    *folder* is on the disk that the feed is to be kept on; it is gone afterwards.
    """
    folder.mkdir()
    try:
        with RedisServer() as redis, _services(folder, redis.url) as socket:
            return asyncio.run(_pass(redis.url, socket, count))
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def _services(folder: Path, redis_url: str) -> Iterator[Path]:
    """Run the event service and a gateway; give the gateway's socket once it answers."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("WHERRY_")},
        "WHERRY_NODE": _NODE,
        "WHERRY_ROOT": str(folder / "d"),
        "WHERRY_EXEC_ROOT": str(folder / "x"),
        "WHERRY_REDIS_URL": redis_url,
    }
    log = folder / "log"
    (folder / "x").mkdir()
    (folder / "d").mkdir()
    with contextlib.ExitStack() as stack:
        for service in ("event", "gateway"):
            process = stack.enter_context(_running(service, environment, log))
        with Api(folder / "x" / "docker.sock") as api:
            wait_for(api.is_served, process, log)
        yield folder / "x" / "docker.sock"


@contextlib.contextmanager
def _running(service: str, env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", f"services.{service}"]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=_STOP_LIMIT_S)


async def _pass(redis_url: str, socket: Path, count: int) -> float:
    async with asyncio.timeout(_LIMIT_S), _store(redis_url) as store:
        reader, writer = await asyncio.open_unix_connection(str(socket))
        writer.write(b"GET /events HTTP/1.1\r\nHost: docker\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        arrivals = _Arrivals(reader)
        # Both services are warm, and connected, when the first has come through.
        await _publish(store, 1, 1)
        await arrivals.until(1)
        began = time.perf_counter()
        for first in range(2, count + 2, _BATCH):
            await arrivals.until(first - _AHEAD)
            await _publish(store, first, min(first + _BATCH - 1, count + 1))
        await arrivals.until(count + 1)
        writer.close()
        return count / (time.perf_counter() - began)


@contextlib.asynccontextmanager
async def _store(redis_url: str) -> AsyncIterator[RedisBus]:
    """Give the bus of a store that has one plugin and publishes what it is told to."""

    async def inventory(_command: GetInventory, _delivery: Delivery) -> Inventory:
        return Inventory(epoch=_EPOCH, revision=1, plugins=(_PLUGIN,))

    async def registered(
        _command: RegisterHandler | RegisterRuntimeOption, _delivery: Delivery
    ) -> Done:
        return Done()

    bus = RedisBus(url=redis_url, node=_NODE, service="store")
    bus.serve(
        {
            GetInventory: inventory,
            RegisterHandler: registered,
            RegisterRuntimeOption: registered,
        }
    )
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


async def _publish(store: RedisBus, first: int, last: int) -> None:
    """Publish revisions, as the store's relay does."""
    stream = names.changes(_NODE, "store")
    await store.write(
        *(
            ("XADD", stream, f"{revision}-0", *_envelope(revision).encode())
            for revision in range(first, last + 1)
        )
    )


def _envelope(revision: int) -> Envelope:
    fact = Fact(action="set", actor_id=_PLUGIN.plugin_id, time_ns=time.time_ns())
    change = PluginChanged(
        epoch=_EPOCH,
        revision=revision,
        plugin_id=_PLUGIN.plugin_id,
        plugin=_PLUGIN,
        facts=(fact,),
    )
    return Envelope(
        message_id=f"{_EPOCH}-{revision}",
        message_type=change.TYPE,
        node=_NODE,
        source="store",
        epoch=_EPOCH,
        body=change.model_dump_json().encode(),
    )


class _Arrivals:
    """Counts events as they arrive at a reader."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._count = 0
        self._last = b""

    async def until(self, count: int) -> None:
        """Read until so many have arrived."""
        while self._count < count:
            data = await self._reader.read(1 << 16)
            if not data:
                raise BenchFailed("the stream of events was closed")
            data = self._last + data
            self._count += data.count(_LINE_END)
            self._last = data[-1:] if data.endswith(b"}") else b""
