"""Runtime options: what services give the containers of a capability's plugins."""

from __future__ import annotations

import asyncio

import structlog

from services.store import ports
from services.store.domain import registration
from services.store.domain.registration import Key, Kind
from services.store.service.renewals import Renewals
from shared.bus.ports import Delivery
from shared.contracts.capability import (
    RegisterRuntimeOption,
    RuntimeOption,
    UnregisterRuntimeOption,
)
from shared.contracts.executor import ContainerConfig
from shared.contracts.message import Done
from shared.contracts.plugin import Plugin
from shared.tasks.background import until_done

log = structlog.get_logger()


class RuntimeOptions:
    """The options that hold, by owner and capability."""

    def __init__(self, *, records: ports.Registrations, clock: ports.Clock) -> None:
        self._records = records
        self._renewals: Renewals[Key] = Renewals(clock)
        self._options: dict[Key, RuntimeOption] = {}
        self._writing = asyncio.Lock()

    def load(self, options: tuple[RuntimeOption, ...]) -> None:
        """Take up what was registered before; each owner has its whole time to renew."""
        for option in options:
            self._put(option)

    async def register(self, command: RegisterRuntimeOption, _delivery: Delivery) -> Done:
        """Keep an option; a repeat renews it and writes nothing."""
        option = command.option
        async with self._writing:
            if self._options.get(Key.of(option.owner, option.key)) != option:
                await self._records.keep_option(option)
            self._put(option)
        return Done()

    async def unregister(self, command: UnregisterRuntimeOption, _delivery: Delivery) -> Done:
        """Give an option up; none is success."""
        await self._drop(Key.of(command.owner, command.key))
        return Done()

    def all(self) -> tuple[RuntimeOption, ...]:
        """Return the options that hold, by owner."""
        held = (o for key, o in self._options.items() if self._renewals.is_live(key))
        return tuple(sorted(held, key=lambda option: (option.owner, option.key.interface)))

    def applied(self, plugin: Plugin, config: ContainerConfig) -> ContainerConfig:
        """Return a plugin's container with the options of its capabilities."""
        return registration.with_options(plugin, config, self.all())

    async def run(self) -> None:
        """Drop each option that is not renewed in time."""
        await self._renewals.run(lambda key: until_done(lambda: self._drop_ended(key)))

    def _put(self, option: RuntimeOption) -> None:
        key = Key.of(option.owner, option.key)
        self._options[key] = option
        self._renewals.renew(key, option.ttl_s)

    async def _drop_ended(self, key: Key) -> None:
        if not self._renewals.is_live(key):
            log.warning("runtime option not renewed", owner=key.owner, interface=key.interface)
            await self._drop(key)

    async def _drop(self, key: Key) -> None:
        async with self._writing:
            await self._records.drop(Kind.OPTION, key)
            self._options.pop(key, None)
            self._renewals.forget(key)
