"""The volume service's ports in memory, and a service put together on them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from services.volume import ports
from services.volume.domain.answer import Found
from services.volume.domain.record import Holder, Operation, Position, Unit, VolumeRecord
from services.volume.service.catalog import Catalog
from services.volume.service.drivers import Drivers
from services.volume.service.service import VolumeService
from shared import errdefs
from shared.contracts.plugin import Plugin
from shared.contracts.reference import GetMode, GetPlugin, GotPlugin
from shared.contracts.store import Fact
from tests.support.bus import FakeSender
from tests.support.gateway import plugin
from tests.support.store import FakeClock


class FakeRecords:
    """A ports.Records that outlives the service that uses it, as a database does."""

    def __init__(self) -> None:
        self.volumes: dict[str, VolumeRecord] = {}
        self.operations: dict[str, Operation] = {}
        self.holders: dict[tuple[str, str], Holder] = {}
        self.inbox: dict[str, int] = {}
        self.facts: list[tuple[Fact, ...]] = []

    async def load(self) -> ports.Loaded:
        """Read everything."""
        return ports.Loaded(
            position=self._position(),
            volumes=tuple(self.volumes.values()),
            operations=tuple(self.operations.values()),
            holders=tuple(self.holders.values()),
        )

    async def commit(self, unit: Unit) -> Position:
        """Commit a unit whole."""
        await asyncio.sleep(0)  # a commit takes its time: others come in between
        if unit.put:
            self.volumes[unit.put.name] = unit.put
        if unit.drop:
            self.volumes.pop(unit.drop, None)
            self.holders = {key: h for key, h in self.holders.items() if h.name != unit.drop}
        if unit.end:
            self.operations.pop(unit.end, None)
        if unit.begin:
            self.operations[unit.begin.name] = unit.begin
        if unit.hold:
            self.holders[unit.hold.name, unit.hold.owner] = unit.hold
        for one in unit.let_go:
            self.holders.pop((one.name, one.owner), None)
        if unit.facts:
            self.facts.append(unit.facts)
        if unit.answers:
            self.inbox[unit.answers] = len(self.facts)
        return self._position()

    async def replied(self, message_id: str) -> Position | None:
        """Return what a command was already answered with."""
        revision = self.inbox.get(message_id)
        return None if revision is None else Position(epoch="e", revision=revision)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Return what happened to whom, oldest first."""
        return [(fact.action, fact.actor_id) for facts in self.facts for fact in facts]

    def _position(self) -> Position:
        return Position(epoch="e", revision=len(self.facts))


class FakeDriver:
    """A ports.Driver over a dictionary; *errors* by call are raised instead."""

    def __init__(self, name: str = "p:latest", *, is_held: bool = True) -> None:
        self.name = name
        self.is_held = is_held
        self.volumes: dict[str, Mapping[str, str]] = {}
        self.mounted: set[tuple[str, str]] = set()
        self.errors: dict[str, errdefs.Error] = {}
        self.calls: list[str] = []
        #: Calls that never end.
        self.silent: set[str] = set()

    def check(self, name: str, options: Mapping[str, str]) -> None:
        """Refuse what is set to be refused."""
        if "check" in self.errors:
            raise self.errors["check"]

    async def scope(self) -> str:
        """Return `global`."""
        await self._call("scope")
        return "global"

    async def get(self, name: str) -> Found | None:
        """Return a volume."""
        await self._call("get")
        return Found(name=name, mountpoint=f"/{name}") if name in self.volumes else None

    async def list(self) -> tuple[Found, ...]:
        """Return all volumes."""
        await self._call("list")
        return tuple(Found(name=name, mountpoint=f"/host/{name}") for name in self.volumes)

    async def create(self, name: str, options: Mapping[str, str]) -> None:
        """Make a volume."""
        await self._call("create")
        self.volumes[name] = options

    async def remove(self, name: str) -> None:
        """Delete a volume."""
        await self._call("remove")
        del self.volumes[name]

    async def mount(self, name: str, owner: str, options: Mapping[str, str]) -> str:
        """Mount a volume."""
        await self._call("mount")
        self.mounted.add((name, owner))
        return f"/host/{name}"

    async def unmount(self, name: str, owner: str, *, is_last: bool) -> None:
        """End a mount."""
        await self._call("unmount")
        self.mounted.discard((name, owner))

    async def path(self, name: str) -> str:
        """Return where a volume is."""
        await self._call("path")
        return f"/host/{name}"

    async def size_bytes(self, name: str) -> int:
        """Return a size."""
        return 7

    async def _call(self, verb: str) -> None:
        self.calls.append(verb)
        if verb in self.silent:
            await asyncio.Event().wait()
        if verb in self.errors:
            raise self.errors[verb]


class FakePlugins:
    """A ports.PluginDrivers of one plugin; *error*: nobody can tell, or it is none now."""

    def __init__(self, driver: FakeDriver) -> None:
        self.driver = driver
        self.error: errdefs.Error | None = None
        self.noted: list[str] = []

    async def find(self, name: str) -> ports.Driver:
        """Return the plugin by its name, with a tag or without."""
        if self.error is not None:
            raise self.error
        if name not in (self.driver.name, self.driver.name.removesuffix(":latest")):
            raise errdefs.NotFound(f'plugin "{name}" not found')
        return self.driver

    async def all(self) -> tuple[ports.Driver, ...]:
        """Return the plugin."""
        if isinstance(self.error, errdefs.Unavailable):
            raise self.error
        return () if self.error else (self.driver,)

    def changed(self, plugin_id: str, plugin: Plugin | None) -> None:
        """Note a plugin's new record."""
        self.noted.append(plugin_id)


class VolumeWorld:
    """A service on ports in memory; *restart* starts another one on the same database."""

    def __init__(self) -> None:
        self.records = FakeRecords()
        self.local = FakeDriver("local", is_held=False)
        self.driver = FakeDriver()
        self.plugins = FakePlugins(self.driver)
        self.sender = FakeSender({GetPlugin: self._lease})
        self.clock = FakeClock()
        self.boot_id = "boot 1"
        #: Owners that hold the plugin.
        self.owners: set[str] = set()
        self.refusal: errdefs.Error | None = None
        self.service = self._made()

    async def restart(self, *, kill: bool = False) -> None:
        """Start the service anew; a killed one has no time to end what it does."""
        if not kill:
            await self.service.close()
        self.service = self._made()
        await self.service.catalog.load()

    def _made(self) -> VolumeService:
        drivers = Drivers(local=self.local, plugins=self.plugins, list_timeout_s=0.05)
        return VolumeService(
            catalog=Catalog(self.records, committed=lambda: None),
            drivers=drivers,
            sizes=self.local,
            sender=self.sender,
            clock=self.clock,
            boot_id=self.boot_id,
        )

    def _lease(self, command: Any) -> GotPlugin | errdefs.Error:
        if self.refusal is not None:
            return self.refusal
        if command.mode is GetMode.ACQUIRE:
            self.owners.add(command.owner)
        else:
            self.owners.discard(command.owner)
        return GotPlugin(plugin=plugin(name="p:latest"))
