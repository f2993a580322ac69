"""What the store does when it starts: end what a crash left, and say what that was."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from services.store import ports
from services.store.domain import status
from services.store.domain.operation import Change, Kind, Operation, Unit
from services.store.service.containers import Containers
from services.store.service.installation import Installation
from services.store.service.inventory import PluginInventory
from services.store.service.recovery import Recovery
from services.store.service.rootfs_sync import RootfsSync
from services.store.service.supervisor import Supervisor
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.plugin import PluginState
from shared.contracts.recovery import (
    GetRecovery,
    InterruptedOperation,
    Outcome,
    RecoveryReport,
)

log = structlog.get_logger()

#: What becomes of an operation that was cut short: the user was told of none of them.
_OUTCOMES = {
    Kind.ENABLE: Outcome.UNDONE,
    Kind.RESTART: Outcome.UNDONE,
    Kind.DISABLE: Outcome.FINISHED,
    Kind.REMOVE: Outcome.FINISHED,
}


class Startup:
    """Recovers once, and keeps the report for who asks."""

    def __init__(
        self,
        *,
        inventory: PluginInventory,
        installation: Installation,
        rootfs_sync: RootfsSync,
        folders: ports.Folders,
        boot: ports.Boot,
        containers: Containers,
        recovery: Recovery,
        supervisor: Supervisor,
        clock: ports.Clock,
    ) -> None:
        self._inventory = inventory
        self._installation = installation
        self._rootfs_sync = rootfs_sync
        self._folders = folders
        self._boot = boot
        self._containers = containers
        self._recovery = recovery
        self._supervisor = supervisor
        self._clock = clock
        #: As far as it has come.
        self.current = RecoveryReport(begun_at_ns=clock())

    async def recover(self, operations: Iterable[Operation]) -> None:
        """End what can be ended alone; what needs the executor goes on in the background."""
        interrupted = tuple(map(self._interrupted, operations := tuple(operations)))
        rebooted = self._boot.is_another()
        if rebooted:
            await self._forget_processes({operation.plugin_id for operation in operations})
        rebuilt = await self._rootfs_sync.recover(rebooted=rebooted)
        await self._boot.note()
        undone = await self._installation.undo_installs()
        live = tuple(r.job.job_id for r in self._inventory.live_jobs())
        swept = await self._folders.sweep(
            {p.plugin_id: self._inventory.rootfs(p.plugin_id) for p in self._inventory.all()}, live
        )
        self._change(
            rebooted=rebooted,
            plugins=len(self._inventory.all()),
            operations=interrupted,
            rebuilt_root_file_systems=rebuilt,
            undone_installs=undone,
            jobs=live,
            removed_folders=swept.folders,
            removed_root_file_systems=swept.root_file_systems,
            removed_work=swept.work,
            removed_trash=swept.trash,
        )
        await self._recovery.resume_all(operations)

    async def finish(self) -> None:
        """Wait until all is ended and the executor's list was compared, then log the report."""
        removed = await self._supervisor.first_compared()
        await self._recovery.settled()
        await self._clear_trash()
        self._change(removed_containers=removed, ended_at_ns=self._clock())
        log.info("recovered", **self.current.model_dump(mode="json"))

    async def _clear_trash(self) -> None:
        """Delete what a mount of a dead plugin kept from being deleted, now that all is known."""
        try:
            await self._containers.unmount_trash()
        except errdefs.Error as error:
            log.warning("leftovers stay until the next start", reason=error.message)
        else:
            await self._folders.empty_trash()

    async def report(self, _command: GetRecovery, _delivery: Delivery) -> RecoveryReport:
        """Return what was found and done at the start, as far as it has come."""
        return self.current

    async def _forget_processes(self, busy: set[str]) -> None:
        """Take plugins as stopped: after a new start of the host nothing of them runs.

        Those that an operation or a job has in its hands are looked at by that.
        """
        changes = tuple(
            Change.of(status.stopped(plugin, message="the host was started anew"))
            for plugin in self._inventory.all()
            if plugin.plugin_id not in busy
            and plugin.status.state is not PluginState.STOPPED
            and self._inventory.live_job(plugin.name) is None
        )
        if changes:
            await self._inventory.commit(Unit(changes=changes))

    def _interrupted(self, operation: Operation) -> InterruptedOperation:
        plugin = self._inventory.get(operation.plugin_id)
        return InterruptedOperation(
            plugin_id=operation.plugin_id,
            plugin="" if plugin is None else plugin.name,
            kind=operation.kind,
            outcome=_OUTCOMES[operation.kind],
        )

    def _change(self, **changes: object) -> None:
        self.current = self.current.model_copy(update=changes)
