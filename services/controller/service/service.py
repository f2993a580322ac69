"""The controller's parts, put together on its ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.controller import ports
from services.controller.domain.task import TaskRecord
from services.controller.domain.term import Holder
from services.controller.service.batches import Batches
from services.controller.service.board import Board
from services.controller.service.book import Book
from services.controller.service.catalog import Catalog
from services.controller.service.credentials import Credentials
from services.controller.service.engine import Engine
from services.controller.service.following import Following
from services.controller.service.forwarding import Forwarding
from services.controller.service.heart import Heart
from services.controller.service.job_runs import JobRuns
from services.controller.service.leadership import Leadership
from services.controller.service.ledger import Ledger
from services.controller.service.node_backend import NodeBackend
from services.controller.service.node_plugins import FleetPlugins
from services.controller.service.nodes import Nodes
from services.controller.service.planner import Planner
from services.controller.service.plugin_services import PluginServices
from services.controller.service.reconciler import Reconciler
from services.controller.service.task_runs import TaskRuns
from services.controller.service.upgrades import Upgrades
from shared.contracts.job import Sealed
from shared.contracts.node import NodeDescription
from shared.tasks.background import Tasks
from shared.tasks.lanes import Lanes


class Controller:
    """Everything between the messages and the ports.

    What only the active controller does is begun in *_activate* and ended in *_stand_down*.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        lease: ports.Lease,
        fleet: ports.Fleet,
        clock: ports.Clock,
        node: str,
        version: str,
        seal_key: Callable[[], str],
        description: NodeDescription,
        may_lead: bool,
        vault: ports.Vault,
        new_id: Callable[[], str],
        lease_s: float,
        node_timeout_s: float,
    ) -> None:
        self.catalog = catalog
        self.following = Following(catalog=catalog, fleet=fleet)
        self.leadership = Leadership(
            lease=lease,
            catalog=catalog,
            node=node,
            ttl_s=lease_s,
            may_lead=may_lead,
            has_copy=lambda: self.following.has_copy,
            activated=self._activate,
            stood_down=self._stand_down,
            looked=self._looked,
        )
        self.forwarding = Forwarding(
            leadership=self.leadership, fleet=fleet, clock=clock, node=node
        )
        self._board = Board()
        self._book = Book(catalog=catalog, board=self._board)
        lanes = Lanes(clock, noun="upgrade")
        self.nodes = Nodes(catalog=catalog, clock=clock, node=node, timeout_s=node_timeout_s)
        self._heart = Heart(
            fleet=fleet,
            leadership=self.leadership,
            node=node,
            version=version,
            seal_key=seal_key,
            description=description,
            timeout_s=node_timeout_s,
        )
        self._fleet = fleet
        self._plugins = FleetPlugins(fleet)
        ledger = Ledger(catalog)
        self._credentials = Credentials(catalog=catalog, nodes=self.nodes, vault=vault, node=node)
        self.services = PluginServices(ledger=ledger, credentials=self._credentials, clock=clock)
        self.runs = TaskRuns(ledger=ledger, clock=clock, backend=self._backend)
        self._reconciler = Reconciler(
            ledger=ledger,
            nodes=self.nodes,
            runs=self.runs,
            credentials=self._credentials,
            clock=clock,
            new_id=new_id,
            node=node,
        )
        self._engine = Engine(
            book=self._book,
            planner=Planner(fleet=fleet, nodes=self.nodes, clock=clock),
            upgrades=Upgrades(
                book=self._book, board=self._board, runs=JobRuns(fleet=fleet), clock=clock
            ),
            lanes=lanes,
            clock=clock,
        )
        self.batches = Batches(
            book=self._book,
            board=self._board,
            lanes=lanes,
            clock=clock,
            resume_soon=self._engine.resume,
        )
        self._followed: Holder | None = None
        #: Of this process, and of the time that it is active.
        self._always, self._while_active = Tasks(), Tasks()

    async def start(self) -> None:
        """Read the database; nothing is done before *run*."""
        await self.catalog.load()

    def run(self) -> None:
        """Begin, in the background."""
        self._begin(self._always, "lease", self.leadership.run)
        self._begin(self._always, "heart", self._heart.run)

    async def close(self) -> None:
        """Stop; what is under way goes on with the next controller that is active."""
        await self._always.cancel_all()
        await self._stand_down()
        await self.following.stop()
        await self.leadership.release()

    async def _activate(self) -> None:
        await self.following.stop()
        self.nodes.begin()
        self._begin(self._while_active, "nodes", self.nodes.run)
        self._begin(self._while_active, "services", self._reconciler.run)
        self._begin(self._while_active, "leases", self.runs.run_renewals)
        self._book.load()
        self._engine.resume_all()

    async def _stand_down(self) -> None:
        await self._while_active.cancel_all()
        await self._engine.close()
        await self.runs.close()
        await self._plugins.close()

    def _backend(self, record: TaskRecord) -> ports.PluginBackend:
        service_id, node = record.task.service_id, record.node

        def login(job_id: str) -> Sealed | None:
            return self._credentials.for_job(service_id, node, job_id)

        return NodeBackend(
            fleet=self._fleet,
            node=node,
            task_id=record.task_id,
            plugins=self._plugins.of(node),
            login=login,
        )

    async def _looked(self) -> None:
        holder = self.leadership.holder
        if holder != self._followed:
            self._followed = holder
            self._heart.beat_soon()
        if holder is not None and not self.leadership.is_active:
            await self.following.follow(holder.node)

    @staticmethod
    def _begin(tasks: Tasks, key: str, run: Callable[[], Awaitable[None]]) -> None:
        async def work() -> None:
            await run()

        tasks.ensure(key, work())
