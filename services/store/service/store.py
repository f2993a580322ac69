"""The store's parts, put together on its ports."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.store import ports
from services.store.domain.operation import Kind
from services.store.domain.restart import Backoff
from services.store.service.containers import Containers
from services.store.service.creation import Creation
from services.store.service.garbage import Garbage
from services.store.service.gate import Gate
from services.store.service.giving_way import GivingWay
from services.store.service.grants import Grants
from services.store.service.handover_end import HandoverEnd
from services.store.service.handover_journal import HandoverJournal
from services.store.service.handover_phases import HandoverPhases
from services.store.service.handover_rollback import HandoverRollback
from services.store.service.handovers import Handovers
from services.store.service.installation import Installation
from services.store.service.inventory import PluginInventory
from services.store.service.job_watch import JobWatch
from services.store.service.jobs import Jobs
from services.store.service.lifecycle import Lifecycle
from services.store.service.node import Node
from services.store.service.recovery import Recovery
from services.store.service.references import References
from services.store.service.registrations import Registering
from services.store.service.removal import Removal
from services.store.service.requirements import Requirements
from services.store.service.restarts import Restarts
from services.store.service.rootfs_sync import RootfsSync
from services.store.service.secrets import PluginSecrets
from services.store.service.settings import SettingsChange
from services.store.service.shutdown import Shutdown
from services.store.service.startup import Startup
from services.store.service.supervision import SupervisionChange
from services.store.service.supervisor import Supervisor
from shared.bus.ports import Sender
from shared.contracts.executor import NoNewPrivileges, Seccomp
from shared.tasks.background import Tasks
from shared.tasks.lanes import Lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The times that the store grants."""

    ready_timeout_s: float
    stop_grace_s: float
    shutdown_timeout_s: float = 30.0
    requires_timeout_s: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)


class Store:
    """Everything between the messages and the ports."""

    def __init__(
        self,
        *,
        inventory: PluginInventory,
        sender: Sender,
        folders: ports.Folders,
        boot: ports.Boot,
        content: ports.Content,
        queue: ports.JobQueue,
        registrations: ports.Registrations,
        secrets: ports.Secrets,
        feed: ports.JobFeed,
        clock: ports.Clock,
        times: Times,
        seccomp: Seccomp = Seccomp.DEFAULT,
        no_new_privileges: NoNewPrivileges = NoNewPrivileges.ROOT,
    ) -> None:
        self._background = Tasks()
        self.inventory = inventory
        self.folders = folders
        self.clock = clock
        self.lanes = Lanes(clock)
        self.gate = Gate(inventory)
        self.garbage = Garbage(inventory, content, clock)
        self.recovery = Recovery(self.lanes)
        self.references = References(inventory=inventory, lanes=self.lanes, clock=clock)
        self.registering = Registering(
            records=registrations, inventory=inventory, sender=sender, clock=clock
        )
        self.secrets = PluginSecrets(
            records=secrets, sender=sender, plugins=inventory.all, clock=clock
        )
        self.containers = Containers(
            secrets=self.secrets,
            sender=sender,
            folders=folders,
            ready_timeout_s=times.ready_timeout_s,
            stop_grace_s=times.stop_grace_s,
            seccomp=seccomp,
            no_new_privileges=no_new_privileges,
            options=self.registering.options,
        )
        self.requirements = Requirements(inventory=inventory, timeout_s=times.requires_timeout_s)
        self.restarts = Restarts(
            inventory=inventory,
            lanes=self.lanes,
            containers=self.containers,
            requirements=self.requirements,
            recovery=self.recovery,
            clock=clock,
            backoff=times.backoff,
        )
        self.supervisor = Supervisor(
            inventory=inventory,
            lanes=self.lanes,
            containers=self.containers,
            restarts=self.restarts,
            clock=clock,
            backoff=times.backoff,
        )
        self.creation = Creation(
            inventory=inventory,
            lanes=self.lanes,
            folders=folders,
            content=content,
            garbage=self.garbage,
            clock=clock,
            collect_soon=self.collect_soon,
        )
        self.settings = SettingsChange(inventory=inventory, lanes=self.lanes, clock=clock)
        self.supervision = SupervisionChange(
            inventory=inventory,
            lanes=self.lanes,
            supervisor=self.supervisor,
            requirements=self.requirements,
            clock=clock,
        )
        self.grants = Grants(inventory=inventory, lanes=self.lanes, clock=clock)
        self.job_watch = JobWatch(
            inventory=inventory,
            lanes=self.lanes,
            folders=folders,
            queue=queue,
            feed=feed,
            clock=clock,
            collect_soon=self.collect_soon,
        )
        self.jobs = Jobs(
            inventory=inventory,
            lanes=self.lanes,
            folders=folders,
            content=content,
            garbage=self.garbage,
            watch=self.job_watch,
            clock=clock,
            collect_soon=self.collect_soon,
        )
        self.giving_way = GivingWay(
            inventory=inventory, lanes=self.lanes, jobs=self.jobs, clock=clock
        )
        self.lifecycle = self._lifecycle()
        self.removal = self._removal()
        self.handovers = self._handovers(feed)
        self.node = self._node(times)
        self.rootfs_sync = RootfsSync(inventory, folders)
        self.installation = Installation(
            inventory=inventory,
            lanes=self.lanes,
            folders=folders,
            content=content,
            garbage=self.garbage,
            clock=clock,
            sync_soon=self.rootfs_sync.soon,
            collect_soon=self.collect_soon,
            go_on=self.handovers.resume,
        )
        self.startup = Startup(
            inventory=inventory,
            installation=self.installation,
            rootfs_sync=self.rootfs_sync,
            folders=folders,
            boot=boot,
            containers=self.containers,
            recovery=self.recovery,
            supervisor=self.supervisor,
            clock=clock,
        )
        self.recovery.finish_with(
            {
                Kind.ENABLE: self.lifecycle.undo_enable,
                Kind.RESTART: self.restarts.undo_restart,
                Kind.DISABLE: self.lifecycle.finish_disable,
                Kind.REMOVE: self.removal.finish_remove,
            }
        )

    async def start(self) -> None:
        """Read the inventory, sweep what a crash left, end what it interrupted, and look."""
        operations = await self.inventory.load()
        await self.grants.fill()
        await self.registering.load()
        await self.startup.recover(operations)
        self.handovers.resume_all()
        self._background.ensure("jobs", self.job_watch.run())
        self._background.ensure("references", self.references.run())
        self._background.ensure("registrations", self.registering.run())
        self._background.ensure("startup", self.startup.finish())
        self.supervisor.compare_soon()
        self.collect_soon()

    async def close(self) -> None:
        """End the background work; what is not done is done after the next start."""
        await self._background.cancel_all()
        await self.rootfs_sync.close()
        await self.handovers.close()
        await self.registering.close()
        await self.recovery.close()
        await self.supervisor.close()

    async def reconnected(self) -> None:
        """Compare lists and queue jobs again: facts and tasks may have been lost with the bus."""
        self.supervisor.compare_soon()
        self.registering.handlers.look()
        await self.job_watch.requeue_all()

    def collect_soon(self) -> None:
        """Delete blobs that no plugin needs, in the background."""
        self._background.ensure("garbage", self._collect())

    async def _collect(self) -> None:
        await self.garbage.collect()

    def _lifecycle(self) -> Lifecycle:
        return Lifecycle(
            inventory=self.inventory,
            lanes=self.lanes,
            containers=self.containers,
            supervisor=self.supervisor,
            recovery=self.recovery,
            references=self.references,
            requirements=self.requirements,
            giving_way=self.giving_way,
            handlers=self.registering.handlers,
            clock=self.clock,
        )

    def _removal(self) -> Removal:
        return Removal(
            inventory=self.inventory,
            lanes=self.lanes,
            containers=self.containers,
            folders=self.folders,
            supervisor=self.supervisor,
            lifecycle=self.lifecycle,
            references=self.references,
            giving_way=self.giving_way,
            clock=self.clock,
            collect_soon=self.collect_soon,
        )

    def _handovers(self, feed: ports.JobFeed) -> Handovers:
        journal = HandoverJournal(inventory=self.inventory, lanes=self.lanes, feed=feed)
        end = HandoverEnd(
            folders=self.folders,
            journal=journal,
            clock=self.clock,
            collect_soon=self.collect_soon,
            hand_back=self.supervisor.hand_back,
        )
        phases = HandoverPhases(
            inventory=self.inventory,
            lanes=self.lanes,
            containers=self.containers,
            restarts=self.restarts,
            references=self.references,
            handlers=self.registering.handlers,
            journal=journal,
            end=end,
            clock=self.clock,
        )
        rollback = HandoverRollback(
            inventory=self.inventory,
            lanes=self.lanes,
            containers=self.containers,
            restarts=self.restarts,
            handlers=self.registering.handlers,
            phases=phases,
            journal=journal,
            end=end,
            clock=self.clock,
        )
        return Handovers(inventory=self.inventory, phases=phases, rollback=rollback)

    def _node(self, times: Times) -> Node:
        return Node(
            inventory=self.inventory,
            containers=self.containers,
            shutdown=Shutdown(
                inventory=self.inventory,
                lanes=self.lanes,
                containers=self.containers,
                handlers=self.registering.handlers,
                clock=self.clock,
                timeout_s=times.shutdown_timeout_s,
            ),
            supervisor=self.supervisor,
            handovers=self.handovers,
            gate=self.gate,
        )
