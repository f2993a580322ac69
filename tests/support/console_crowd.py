"""A gateway on stand-ins, served on loopback: many plugins, of which some change all the time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.gateway.adapters.server import serve_http
from services.gateway.domain import plugin_view
from shared.contracts.event import EventPublished
from shared.contracts.executor import Exit
from shared.contracts.health import CheckHealth, ServiceHealth
from shared.contracts.node import Fleet, ListNodes, Node, NodeState
from shared.contracts.plugin import Plugin, PluginState, PluginStatus
from tests.support.gateway import changed, event, plugin, snapshot
from tests.support.gateway_app import AppWorld, serving

_HEALTH: Final = ServiceHealth(
    service="store", node="n", version="1", pid=1, started_at_ns=1, healthy=True
)
_FLEET: Final = Fleet(
    active="n",
    nodes=tuple(
        Node(name=name, state=NodeState.READY, joined_at_ns=1, state_since_ns=1)
        for name in ("m", "n", "o")
    ),
)
_KEPT: Final = 1000
_REVISION: Final = 5
#: How plugins are, and how often each.
_STATES: Final = {
    PluginState.RUNNING: 80,
    PluginState.STARTING: 5,
    PluginState.RESTARTING: 8,
    PluginState.STOPPED: 7,
}


@dataclass(slots=True, kw_only=True)
class Crowd:
    """The plugins, and the loop on which the gateway and its stand-ins run."""

    count: int
    per_second: float
    origin: str = ""
    #: How many changes there have been, each with its event.
    told: int = 0
    #: All plugins as they are, by the ids of pages.
    plugins: dict[str, Plugin] = field(default_factory=dict)
    _luck: random.Random = field(default_factory=lambda: random.Random(11))
    _is_still: bool = False
    _up: threading.Event = field(default_factory=threading.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    def one(self, number: int) -> Plugin:
        """Return a plugin as it may be."""
        state = self._luck.choices([*_STATES], [*_STATES.values()])[0]
        now_ns = time.time_ns()
        status = PluginStatus(
            state=state,
            started_at_ns=now_ns,
            container_id="c" if state is PluginState.RUNNING else "",
            restarts=self._luck.randrange(9) if state is PluginState.RESTARTING else 0,
            last_exit=Exit(exit_code=3, exited_at_ns=now_ns),
        )
        made = plugin(
            name=f"acme/driver-{number:03}:latest",
            plugin_id=f"{number:012x}" + "0" * 52,
            enabled=state is not PluginState.STOPPED,
            status=status,
        )
        self.plugins[plugin_view.short_id(made)] = made
        return made

    def run(self) -> None:
        """Serve until stopped."""
        asyncio.run(self._serve())

    def wait_until_up(self) -> None:
        """Return once it answers."""
        assert self._up.wait(30)

    def stop(self) -> None:
        """Have it end."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)

    def live(self, *, wished: bool) -> None:
        """Have plugins change, or not: then none does once this returns."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._let(wished=wished), self._loop).result(30)

    async def _let(self, *, wished: bool) -> None:
        self._is_still = not wished

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with serving(Path(folder)) as world:
                world.sender.answers |= {CheckHealth: _HEALTH, ListNodes: _FLEET}
                world.replica.inventory.take(snapshot(_REVISION, *map(self.one, range(self.count))))
                self._up.set()
                async with asyncio.TaskGroup() as tasks:
                    living = tasks.create_task(self._live(world))
                    await serve_http(world.app, [listener], stop=self._stop, grace_s=1)
                    living.cancel()

    async def _live(self, world: AppWorld) -> None:
        """Change plugins at the rate, whether or not somebody looks."""
        last_s, owed = time.monotonic(), 0.0
        while not self._stop.is_set():
            await asyncio.sleep(0.01)
            now_s = time.monotonic()
            owed += (now_s - last_s) * self.per_second * (not self._is_still)
            last_s = now_s
            while owed >= 1:
                owed -= 1
                self._change(world)

    def _change(self, world: AppWorld) -> None:
        self.told += 1
        one = self.one(self._luck.randrange(self.count))
        action = "die" if one.status.state is PluginState.RESTARTING else "enable"
        told = event(
            self.told,
            action=action,
            actor_id=one.plugin_id,
            attributes={"name": one.name},
            time_ns=time.time_ns(),
        )
        world.kept.append(told)
        del world.kept.events[:-_KEPT]
        world.published.put(EventPublished(event=told))
        world.changes.put(changed(_REVISION + self.told, one))


@contextlib.contextmanager
def living_crowd(count: int, per_second: float) -> Iterator[Crowd]:
    """Serve *count* plugins and so many changes a second while the block runs."""
    crowd = Crowd(count=count, per_second=per_second)
    thread = threading.Thread(target=crowd.run, name="crowd")
    thread.start()
    try:
        crowd.wait_until_up()
        yield crowd
    finally:
        crowd.stop()
        thread.join()
