"""The pull service and the store whole, in one process: only bus and queue are calls.

What crosses the bus is written and read as on it; a command outlives whoever sent it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from services.pull.adapters.archive import DiskArchives
from services.pull.adapters.content import DiskContent as PullContent
from services.pull.adapters.registries import ClientRegistries
from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.workplace import DiskWorkplaces
from services.pull.service.flights import Flights
from services.pull.service.pace import Pace
from services.pull.service.pulling import Pulling
from services.pull.service.pushing import Pushing
from services.pull.service.resolving import Resolver
from services.pull.service.running import JobRunner, StoppingError
from services.pull.service.trust import Trust
from services.store.adapters.content import DiskContent as StoreContent
from services.store.adapters.folders import DiskFolders
from services.store.adapters.records import MIGRATIONS, SqliteRecords
from services.store.adapters.registrations import SqliteRegistrations
from services.store.adapters.secrets import SqliteSecrets
from services.store.domain.job import LEASE_S, JobRecord
from services.store.entrypoints import bus as tables
from services.store.service.inventory import PluginInventory
from services.store.service.store import Store, Times
from shared import errdefs
from shared.bus.ports import CommandHandler
from shared.contracts.job import BeginJob, JobEnded, JobKind, JobProgress, JobReply, JobRequest
from shared.contracts.message import Command, Message
from shared.contracts.store import Changed
from shared.oci import unpack
from shared.oci.digest import Digest
from shared.sealing import Opener, new_key
from shared.sqlite import Database
from tests.support.executor import FakeExecutor
from tests.support.pull import MACHINE, FakePrivilegePolicies, FakeTrustPolicies, FakeWriter
from tests.support.registry_client import new_registry
from tests.support.store import FakeBoot, delivery

R = TypeVar("R", bound=Message)

#: So short that no example waits for long, and so long that a busy machine keeps them.
LIMITS: Final = Limits(
    dial_s=2.0,
    answer_s=0.15,
    stall_s=0.15,
    attempts=3,
    redirects=3,
    manifest_bytes=64 << 10,
    answer_bytes=64 << 10,
    resume_progress_bytes=256 << 10,
    upload_chunk_bytes=400_000,
)
#: Of one layer.
UNPACKED: Final = unpack.Limits(size=32 << 20, entries=10_000)
_END_S: Final = 20.0
#: In memory where that can be: examples are many, and each waits for the disk often.
_MEMORY: Final = Path("/dev/shm")


class StoreCalls:
    """The bus between worker and store: a ports.Sender that calls the store's handlers."""

    def __init__(self, handlers: Mapping[type[Command[Any]], CommandHandler]) -> None:
        self._handlers = handlers
        self._handling: set[asyncio.Task[Message]] = set()
        self.faults: list[Exception] = []
        #: Called with each step; says whether its answer is lost.
        self.on_step: Callable[[], bool] = lambda: False

    async def send(
        self,
        command: Command[R],
        *,
        timeout_s: float,
        owner: str | None = None,
        message_id: str | None = None,
    ) -> R:
        """Have the store handle a command, to its end whoever waits."""
        is_lost = self.on_step()
        handling = asyncio.create_task(self._handle(command, message_id))
        self._handling.add(handling)
        handling.add_done_callback(self._handled)
        reply = await asyncio.shield(handling)
        if is_lost:
            raise errdefs.Unavailable("the bus lost the answer")
        return type(reply).model_validate_json(reply.model_dump_json())  # type: ignore[return-value]  # the table pairs them

    async def settle(self) -> None:
        """Wait for commands that nobody waits for any more."""
        while self._handling:
            await asyncio.wait(self._handling)

    async def _handle(self, command: Command[Any], message_id: str | None) -> Message:
        read = type(command).model_validate_json(command.model_dump_json())
        try:
            return await self._handlers[type(command)](read, delivery(message_id))
        except errdefs.Error as error:
            raise errdefs.from_wire(error.to_wire()) from None
        except Exception as error:
            self.faults.append(error)
            raise errdefs.Internal("a fault in the store") from error

    def _handled(self, task: asyncio.Task[Message]) -> None:
        self._handling.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to look at it


#: Leases are renewed, and the store asked again, so often that no example waits for it.
_HURRIED = Pace(first_renewal_s=0.005, longest_renewal_s=0.005, first_retry_s=0.001)


class Worker:
    """A pull service of its own, as far as the jobs go."""

    def __init__(
        self, root: Path, name: str, sender: StoreCalls, progress: Mapping[str, FakeWriter]
    ) -> None:
        self.registry: Registry = new_registry(limits=LIMITS)
        self._workplaces = DiskWorkplaces(root / "work", jobs=4, limits=UNPACKED)
        content, registries = PullContent(root / "content"), ClientRegistries(self.registry)
        self.runner = JobRunner(
            sender=sender,
            pulling=Pulling(
                registries=registries,
                archives=DiskArchives(root),
                content=content,
                resolver=Resolver(machine=MACHINE),
                trust=Trust(policies=FakeTrustPolicies(), registries=registries),
                policies=FakePrivilegePolicies(),
                flights=Flights(),
                layers_at_once=2,
            ),
            pushing=Pushing(registries=registries, content=content, blobs_at_once=2),
            workplaces=self._workplaces,
            opener=Opener(new_key()),
            open_progress=lambda job_id: progress[job_id],
            worker=name,
            pace=_HURRIED,
        )

    async def aclose(self) -> None:
        """Close connections and threads."""
        await self.registry.aclose()
        self._workplaces.close()


class WholePull:
    """A node's data root, its store, and workers; ports.JobQueue and ports.JobFeed at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._skipped_ns = 0
        #: A worker was stopped.
        self.is_understaffed = False
        self.database = Database(root / "store" / "store.db", MIGRATIONS)
        self.records = SqliteRecords(self.database, time.time_ns)
        content = StoreContent(root / "content", root / "work")
        self.folders = DiskFolders(root, content)
        content.make_folders()
        self.folders.make_folders()
        self.inventory = PluginInventory(self.records, committed=lambda: None)
        self.store = Store(
            inventory=self.inventory,
            sender=FakeExecutor(),
            folders=self.folders,
            boot=FakeBoot(),
            content=content,
            queue=self,
            registrations=SqliteRegistrations(self.database),
            secrets=SqliteSecrets(self.database),
            feed=self,
            clock=lambda: time.time_ns() + self._skipped_ns,
            times=Times(ready_timeout_s=1, stop_grace_s=1),
        )
        self.calls = StoreCalls(tables.commands(self.store))
        self.progress: dict[str, FakeWriter] = {}
        self._workers: list[Worker] = []
        self._running: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Start the store, and a worker."""
        await self.database.open()
        await self.store.start()
        self.hire()

    async def close(self) -> None:
        """Take all apart."""
        for worker in self._workers:
            await worker.aclose()
        await self.store.close()
        await self.folders.close()
        await self.database.close()

    def hire(self) -> None:
        """Have another worker take the jobs from now on."""
        name = f"worker-{len(self._workers)}"
        self._workers.append(Worker(self.root, name, self.calls, self.progress))

    def dismiss(self) -> None:
        """Stop the worker; its jobs are left as they are."""
        self.is_understaffed = True
        self._workers[-1].runner.stop()

    async def outlast_leases(self) -> None:
        """Let so much time pass that workers who said nothing have lost their jobs."""
        self._skipped_ns += int((LEASE_S + 1) * 1e9)
        await self.store.job_watch.look()

    async def enqueue(self, job_id: str, *, is_patient: bool = False) -> None:
        """Give a job to the worker."""
        running = asyncio.create_task(self._run(self._workers[-1].runner, job_id))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def tell(self, job_id: str, line: str) -> None:
        """Tell whoever follows a job how far it is."""
        await self.progress[job_id].write(JobProgress(status=line))

    async def tell_done(self, job_id: str, changed: Changed) -> None:
        """Tell whoever follows a job that it went well without a worker."""
        await self.progress[job_id].write(JobEnded(changed=changed), final=True)

    async def tell_failed(self, job_id: str, error: errdefs.Error) -> None:
        """Tell whoever follows a job that it failed without a worker."""
        await self.progress[job_id].write(JobEnded(error=error.to_wire()), final=True)

    async def begin(
        self, job_id: str, name: str, remote: str, kind: JobKind = JobKind.PULL
    ) -> None:
        """Begin a job."""
        self.progress[job_id] = FakeWriter()
        request = JobRequest(kind=kind, name=name, remote=remote)
        await self.ask(BeginJob(job_id=job_id, request=request))

    async def ask(self, command: Command[JobReply]) -> JobReply:
        """Ask the store as a person does: no step of a worker."""
        handler = tables.commands(self.store)[type(command)]
        reply = await handler(command, delivery())
        assert isinstance(reply, JobReply)
        return reply

    async def ended(self, job_id: str) -> JobRecord:
        """Wait for the end of a job; one that nobody works on any more is given to another."""
        async with asyncio.timeout(_END_S):
            while (record := self.record(job_id)).is_live or self._running:
                if not self._running:
                    await self.outlast_leases()
                await asyncio.sleep(0.002)
        return record

    async def idle(self) -> None:
        """Wait until nobody works on anything, then collect what nobody needs."""
        async with asyncio.timeout(_END_S):
            while self._running:
                await asyncio.wait(self._running)
            await self.calls.settle()
            await self.store.garbage.collect()

    def record(self, job_id: str) -> JobRecord:
        """Return a job."""
        record = self.inventory.job(job_id)
        assert record is not None
        return record

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the files below a folder of the data root."""
        top = self.root / folder
        return {
            str(path.relative_to(top)): path.read_bytes()
            for path in top.rglob("*")
            if path.is_file()
        }

    def blob(self, digest: str) -> bytes:
        """Return a blob of the content store."""
        return (self.root / "content/blobs/sha256" / Digest(digest).hex).read_bytes()

    async def _run(self, runner: JobRunner, job_id: str) -> None:
        with contextlib.suppress(StoppingError):
            await runner.run(job_id, {})


@asynccontextmanager
async def whole_pull() -> AsyncIterator[WholePull]:
    """Give a node that leaves nothing behind."""
    folder = _MEMORY if _MEMORY.is_dir() else None
    root = Path(tempfile.mkdtemp(prefix="wherry-whole-", dir=folder))
    try:
        made = WholePull(root)
        await made.open()
        try:
            yield made
        finally:
            await made.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, root)
