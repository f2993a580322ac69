"""What people ask of services: created, updated, removed, looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from services.controller import ports
from services.controller.domain import plugin_service
from services.controller.domain.plugin_service import ServiceRecord
from services.controller.domain.row import Entry, Kind, Unit
from services.controller.domain.task import TaskRecord
from services.controller.service.credentials import Credentials
from services.controller.service.ledger import Ledger, service_entry
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.message import Done
from shared.contracts.swarm import (
    GRPC_CODE,
    CreateService,
    GetService,
    ListServices,
    ListTasks,
    RemoveService,
    Service,
    ServiceCreated,
    ServiceList,
    ServiceReply,
    ServiceStatus,
    TaskList,
    TaskState,
    UpdateService,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginServices:
    """The handlers; what they commit, the reconciler brings about."""

    ledger: Ledger
    credentials: Credentials
    clock: ports.Clock

    async def create(self, command: CreateService, delivery: Delivery) -> ServiceCreated:
        """Create a service; a redelivery is given the same answer."""
        async with self.ledger.turn():
            given = await self.ledger.catalog.replied(delivery.message_id, ServiceCreated)
            if given is not None:
                return given
            record = plugin_service.created(command.service_id, command.spec, self.clock())
            self._require_free(record)
            entries = [service_entry(record)]
            if command.credentials is not None:
                entries += self.credentials.kept(command.service_id, command.credentials)
            reply = ServiceCreated(service_id=command.service_id)
            await self._commit(entries, delivery, reply)
        log.info("service created", service_id=command.service_id, name=command.spec.name)
        return reply

    async def update(self, command: UpdateService, delivery: Delivery) -> ServiceReply:
        """Give a service another spec; a redelivery is given the same answer."""
        async with self.ledger.turn():
            given = await self.ledger.catalog.replied(delivery.message_id, ServiceReply)
            if given is not None:
                return given
            known = self.ledger.resolve(command.name)
            record = self._updated(known, command)
            entries = [service_entry(record)]
            if command.credentials is not None:
                service_id = known.service.service_id
                entries += self.credentials.kept(service_id, command.credentials)
            reply = ServiceReply(service=record.service)
            await self._commit(entries, delivery, reply)
        log.info("service updated", service_id=record.service.service_id)
        return reply

    async def remove(self, command: RemoveService, delivery: Delivery) -> Done:
        """Remove a service; its tasks follow. A redelivery is given the same answer."""
        async with self.ledger.turn():
            given = await self.ledger.catalog.replied(delivery.message_id, Done)
            if given is not None:
                return given
            service_id = self.ledger.resolve(command.name).service.service_id
            gone = Entry(kind=Kind.SERVICE, key=service_id, body=None)
            await self._commit((gone, *self.credentials.forgotten(service_id)), delivery, Done())
        log.info("service removed", service_id=service_id)
        return Done()

    async def get(self, command: GetService, _delivery: Delivery) -> ServiceReply:
        """Return one service."""
        return ServiceReply(service=self._shown(self.ledger.resolve(command.name)))

    async def list(self, _command: ListServices, _delivery: Delivery) -> ServiceList:
        """Return all services, by name."""
        return ServiceList(services=tuple(map(self._shown, self.ledger.services())))

    async def list_tasks(self, _command: ListTasks, _delivery: Delivery) -> TaskList:
        """Return all tasks that are kept, oldest first."""
        return TaskList(tasks=tuple(one.task for one in self.ledger.tasks()))

    def _updated(self, known: ServiceRecord, command: UpdateService) -> ServiceRecord:
        if command.rollback:
            return plugin_service.rolled_back(known, command.version, self.clock())
        record = plugin_service.updated(known, command.version, command.spec, self.clock())
        self._require_free(record)
        return record

    def _require_free(self, record: ServiceRecord) -> None:
        """Raise AlreadyExists for a name that another service has."""
        others = [
            one
            for one in self.ledger.services()
            if one.service.service_id != record.service.service_id
        ]
        if any(one.spec.name == record.spec.name for one in others):
            raise errdefs.AlreadyExists(
                "name conflicts with an existing object: service "
                f"{record.spec.name} already exists",
                detail={"service": record.spec.name, GRPC_CODE: "AlreadyExists"},
            )

    def _shown(self, record: ServiceRecord) -> Service:
        tasks = self.ledger.tasks(record.service.service_id)
        return record.service.model_copy(update={"status": _status(tasks)})

    async def _commit(
        self,
        entries: Iterable[Entry],
        delivery: Delivery,
        reply: ServiceCreated | ServiceReply | Done,
    ) -> None:
        unit = Unit(entries=tuple(entries), answers=delivery.message_id, reply=reply)
        await self.ledger.catalog.commit(unit)


def _status(tasks: Iterable[TaskRecord]) -> ServiceStatus:
    wished = [one for one in tasks if one.is_wished]
    running = sum(one.state is TaskState.RUNNING for one in wished)
    return ServiceStatus(running=running, desired=len(wished))
