"""Handlers: services that are told of each start of the plugins of a capability."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from services.store import ports
from services.store.domain import registration
from services.store.domain.registration import HandlerRecord, Key, Kind
from services.store.service.inventory import PluginInventory
from services.store.service.renewals import Renewals
from shared import errdefs
from shared.bus.ports import Delivery, Sender
from shared.contracts.capability import (
    CallHandler,
    Handler,
    Moment,
    RegisterHandler,
    UnregisterHandler,
)
from shared.contracts.message import Done
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed
from shared.tasks.background import Tasks, until_done
from shared.tasks.lanes import Lanes

log = structlog.get_logger()

#: How long a handler may take where nobody waits for it, and where a stop waits for it.
_CALL_S, _STOP_S = 15.0, 3.0


class Handlers:
    """Who is told of which plugins, and what each was told.

    What a handler is still to be told is computed, not queued: the plugins that run, without
    the starts that it acknowledged. So it misses nothing while it is away, and hears nothing of
    starts that are over.
    """

    def __init__(
        self,
        *,
        records: ports.Registrations,
        inventory: PluginInventory,
        sender: Sender,
        clock: ports.Clock,
    ) -> None:
        self._records = records
        self._inventory = inventory
        self._sender = sender
        self._clock = clock
        self._renewals: Renewals[Key] = Renewals(clock)
        self._handlers: dict[Key, HandlerRecord] = {}
        self._writing = asyncio.Lock()
        #: A consumer hears about one plugin one thing at a time.
        self._turns = Lanes(clock)
        self._telling = Tasks()
        inventory.on_commit(self._committed)

    def load(self, handlers: tuple[HandlerRecord, ...]) -> None:
        """Take up what was registered before; each handler has its whole time to renew."""
        for record in handlers:
            self._handlers[record.key] = record
            self._renewals.renew(record.key, record.handler.ttl_s)

    def look(self) -> None:
        """Tell, in the background, each handler of all starts that it does not know."""
        self._look(self._inventory.all())

    async def register(self, command: RegisterHandler, _delivery: Delivery) -> Done:
        """Keep a handler and tell it of what runs; a repeat renews it and writes nothing."""
        async with self._writing:
            record = HandlerRecord(handler=command.handler, process=command.process)
            known = self._handlers.get(record.key)
            if known is not None and known.process == record.process:
                record = record.model_copy(update={"acknowledged": known.acknowledged})
            if record != known:
                await self._records.keep_handler(record)
                self._handlers[record.key] = record
            self._renewals.renew(record.key, command.handler.ttl_s)
        self.look()
        return Done()

    async def unregister(self, command: UnregisterHandler, _delivery: Delivery) -> Done:
        """Give a handler up; none is success."""
        await self._drop(Key.of(command.consumer, command.key))
        return Done()

    def all(self) -> tuple[Handler, ...]:
        """Return the handlers that hold, by consumer."""
        return tuple(self._handlers[key].handler for key in sorted(self._live()))

    async def run(self) -> None:
        """Drop each handler that is not renewed in time."""
        await self._renewals.run(lambda key: until_done(lambda: self._drop_ended(key)))

    async def close(self) -> None:
        """Tell nobody any more; what was not told is told after the next start."""
        await self._telling.cancel_all()

    async def require(self, plugin: Plugin, until_ns: int) -> None:
        """Have each required handler take a plugin that is ready, and is not shown so yet.

        Raises what it said, naming it, or DeadlineExceeded when it did not answer in time.
        """
        consumers = {key.owner for key in self._live() if self._handlers[key].handler.required}
        if not consumers:
            return
        taking = (self._require_one(consumer, plugin, until_ns) for consumer in sorted(consumers))
        for result in await asyncio.gather(*taking, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def stopping(self, plugin: Plugin) -> None:
        """Tell the handlers that know of a plugin's start that it is about to be stopped.

        None can keep it from that: what they answer is logged, and they have little time.
        """
        told = [
            record
            for consumer in {key.owner for key in self._live()}
            for record in self._of(plugin, consumer)
            if record.handler.hears_of_stops and record.has_heard_of(plugin)
        ]
        await asyncio.gather(*(self._tell_stopping(record, plugin) for record in told))

    def _live(self) -> list[Key]:
        return [key for key in self._handlers if self._renewals.is_live(key)]

    def _of(self, plugin: Plugin, consumer: str) -> list[HandlerRecord]:
        records = registration.in_type_order(plugin, self._handlers, consumer)
        return [record for record in records if self._renewals.is_live(record.key)]

    def _committed(self, changed: Changed) -> None:
        if self._handlers:
            self._look(change.plugin for change in changed.changes if change.plugin is not None)

    def _look(self, plugins: Iterable[Plugin]) -> None:
        """Tell, in the background, each handler of the starts among *plugins* it does not know."""
        consumers = {key.owner for key in self._live()}
        for plugin in plugins:
            for consumer in consumers:
                if self._untold(plugin, consumer):
                    self._tell_soon(plugin.plugin_id, consumer)

    def _tell_soon(self, plugin_id: str, consumer: str) -> None:
        self._telling.ensure(
            f"{consumer} {plugin_id}", until_done(lambda: self._tell(plugin_id, consumer))
        )

    def _untold(self, plugin: Plugin, consumer: str) -> list[HandlerRecord]:
        if not registration.is_started(plugin):
            return []
        return [record for record in self._of(plugin, consumer) if not record.knows(plugin)]

    async def _tell(self, plugin_id: str, consumer: str) -> None:
        async with self._turns.hold(f"{consumer} {plugin_id}"):
            plugin = self._inventory.get(plugin_id)
            if plugin is None:
                return
            for record in self._untold(plugin, consumer):
                await self._call(record, Moment.STARTED, plugin, _CALL_S)

    async def _require_one(self, consumer: str, plugin: Plugin, until_ns: int) -> None:
        async with self._turns.hold(f"{consumer} {plugin.plugin_id}"):
            for record in self._of(plugin, consumer):
                if record.handler.required:
                    await self._have_taken(record, plugin, until_ns)

    async def _have_taken(self, record: HandlerRecord, plugin: Plugin, until_ns: int) -> None:
        within_s = max(0.1, (until_ns - self._clock()) / 1e9)
        try:
            await self._call(record, Moment.STARTED, plugin, within_s)
        except errdefs.Error as error:
            raise registration.not_taken(record, plugin, error) from error

    async def _tell_stopping(self, record: HandlerRecord, plugin: Plugin) -> None:
        consumer = record.handler.consumer
        try:
            async with (
                asyncio.timeout(_STOP_S),
                self._turns.hold(f"{consumer} {plugin.plugin_id}"),
            ):
                await self._send(record, Moment.STOPPING, plugin, _STOP_S)
        except (errdefs.Error, TimeoutError) as error:
            log.warning(
                "handler not told", consumer=consumer, plugin=plugin.name, reason=str(error)
            )

    async def _call(
        self, record: HandlerRecord, moment: Moment, plugin: Plugin, timeout_s: float
    ) -> None:
        await self._send(record, moment, plugin, timeout_s)
        async with self._writing:
            now = self._handlers.get(record.key)
            # Registered anew meanwhile, by a process that was not the one that answered.
            if now is not None and now.process == record.process:
                plugins = (one.plugin_id for one in self._inventory.all())
                told = now.after_telling(plugin, plugins)
                await self._records.keep_handler(told)
                self._handlers[record.key] = told

    async def _send(
        self, record: HandlerRecord, moment: Moment, plugin: Plugin, timeout_s: float
    ) -> None:
        call = CallHandler(moment=moment, interface=record.key.interface, plugin=plugin)
        await self._sender.send(call, owner=record.handler.consumer, timeout_s=timeout_s)

    async def _drop_ended(self, key: Key) -> None:
        if not self._renewals.is_live(key):
            log.warning("handler not renewed", consumer=key.owner, interface=key.interface)
            await self._drop(key)

    async def _drop(self, key: Key) -> None:
        async with self._writing:
            await self._records.drop(Kind.HANDLER, key)
            self._handlers.pop(key, None)
            self._renewals.forget(key)
