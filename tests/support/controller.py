"""The controller's ports in memory, and controllers put together on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

from services.controller.domain.role import Role
from services.controller.domain.row import Unit
from services.controller.domain.term import Holder
from services.controller.ports import Lost
from services.controller.service.catalog import Catalog
from services.controller.service.service import Controller
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.job import JobEnded, JobProgress, Sealed
from shared.contracts.message import Command, Message
from shared.contracts.node import NodeDescription, Row, RowsChanged, new_id
from shared.contracts.store import Fact, PluginChanged
from tests.support.bus import Answer, answered
from tests.support.store import FakeClock, delivery

R = TypeVar("R", bound=Message)


class FakeRecords:
    """A ports.Records that outlives the controller that uses it, as a database does."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.inbox: dict[str, str] = {}
        self.published: list[RowsChanged] = []
        self.news = asyncio.Event()
        #: Returns what a commit fails with; None: it succeeds. And how often one failed.
        self.refusal: Callable[[Unit], errdefs.Error | None] = lambda _unit: None
        self.refused = 0

    async def load(self) -> Sequence[Row]:
        """Read all rows."""
        return [self.rows[key] for key in sorted(self.rows)]

    async def after(self, kind: str, key: str, *, limit: int) -> Sequence[Row]:
        """Read rows after one."""
        return [row for at, row in sorted(self.rows.items()) if at > (kind, key)][:limit]

    async def commit(self, unit: Unit) -> None:
        """Commit a unit whole."""
        await asyncio.sleep(0)  # a commit takes its time: others come in between
        if (error := self.refusal(unit)) is not None:
            self.refused += 1
            raise error
        rows = tuple(
            Row(
                kind=entry.kind,
                key=entry.key,
                body=None if entry.body is None else entry.body.model_dump(mode="json"),
            )
            for entry in unit.entries
        )
        self._put(rows)
        self._publish(rows, unit.facts)
        if unit.answers is not None and unit.reply is not None:
            self.inbox[unit.answers] = unit.reply.model_dump_json()

    async def replace(self, rows: Sequence[Row], facts: Sequence[Fact]) -> None:
        """Make these all rows there are."""
        self.rows = {(row.kind, row.key): row for row in rows}
        self._publish((), facts)

    async def apply(self, rows: Sequence[Row], facts: Sequence[Fact]) -> None:
        """Take in rows."""
        self._put(rows)
        self._publish((), facts)

    def _publish(self, rows: Sequence[Row], facts: Sequence[Fact]) -> None:
        if rows or facts:
            change = RowsChanged(
                epoch="e",
                revision=len(self.published) + 1,
                rows=tuple(rows),
                facts=tuple(facts),
            )
            self.published.append(change)
            self.news.set()
            self.news = asyncio.Event()

    def _put(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.body is None:
                self.rows.pop((row.kind, row.key), None)
            else:
                self.rows[row.kind, row.key] = row

    async def replied(self, message_id: str) -> str | None:
        """Return what a command was already answered with."""
        return self.inbox.get(message_id)


class FakeRedis:
    """What the leases of a fleet share: who holds it; *is_away* when nobody can tell."""

    def __init__(self) -> None:
        self.holder: Holder | None = None
        self.is_away = False

    def ask(self) -> Holder | None:
        """Return the holder; raises Unavailable."""
        if self.is_away:
            raise errdefs.Unavailable("the message bus does not answer")
        return self.holder


class FakeLease:
    """A ports.Lease of one node."""

    def __init__(self, redis: FakeRedis, node: str) -> None:
        self._redis = redis
        self._node = node
        self._process = f"controller-of-{node}"

    async def take(self, term: int) -> Holder:
        """Take or renew the lease."""
        held = self._redis.ask()
        if held is None or held.node == self._node:
            self._redis.holder = Holder(term=term, node=self._node, process=self._process)
        assert self._redis.holder is not None
        return self._redis.holder

    async def look(self) -> Holder | None:
        """Return who has the lease."""
        return self._redis.ask()

    async def release(self) -> None:
        """Let the lease go."""
        if self._redis.holder is not None and self._redis.holder.node == self._node:
            self._redis.holder = None


class FakeFleet:
    """A ports.Fleet: controllers in memory, and *answers* for all that is sent to others.

    An answer is looked for under (node, type) and then under the type.
    """

    def __init__(self, redis: FakeRedis, node: str, worlds: Mapping[str, ControllerWorld]) -> None:
        self._redis = redis
        self._node = node
        self._worlds = worlds
        self.answers: dict[Any, Answer] = {}
        self.sent: list[tuple[str, Command[Any]]] = []
        self.plugin_news: dict[str, asyncio.Queue[PluginChanged | Lost]] = {}
        #: By job.
        self.told: dict[str, list[JobProgress]] = {}
        #: Returns how a job ends, once it may.
        self.ends: Callable[[str, str], JobEnded] = lambda _node, _job_id: JobEnded()
        #: Of upgrades.
        self.may_end = asyncio.Event()
        self.may_end.set()

    @staticmethod
    def is_prefetch(job_id: str) -> bool:
        """Tell whether a job of a batch is a prefetch."""
        return job_id.rpartition("-")[0].rpartition("-")[2].startswith("f")

    async def send(
        self, node: str, command: Command[R], *, timeout_s: float, message_id: str | None = None
    ) -> R:
        """Have the controller of *node*, or the table, answer."""
        self.sent.append((node, command))
        given = self.answers.get((node, type(command)), self.answers.get(type(command)))
        if given is not None:
            return await answered(given, command)
        world = self._worlds.get(node)
        if world is None or not world.is_running:
            raise errdefs.DeadlineExceeded(f"no answer within {timeout_s:g} s")
        return await world.ask(command, message_id=message_id or "m")

    async def order(
        self, node: str, command: Command[R], *, timeout_s: float, message_id: str | None = None
    ) -> R:
        """Send while the lease is ours."""
        held = self._redis.ask()
        if held is None or held.node != self._node:
            raise errdefs.Conflict("nothing was sent", detail={"fenced": True})
        return await self.send(node, command, timeout_s=timeout_s, message_id=message_id)

    async def progress(
        self, node: str, job_id: str
    ) -> AsyncGenerator[JobProgress | JobEnded, None]:
        """Yield what a test has put there for the job, and its end once it may end."""
        for said in self.told.get(job_id, ()):
            yield said
        if not self.is_prefetch(job_id):
            await self.may_end.wait()
        yield self.ends(node, job_id)

    async def changes(self, node: str) -> AsyncGenerator[RowsChanged | Lost, None]:
        """Yield what is committed from now on."""
        records = self._worlds[node].records
        done = len(records.published)
        yield Lost()
        while True:
            news = records.news
            for change in records.published[done:]:
                done += 1
                yield change
            await news.wait()

    async def plugin_changes(self, node: str) -> AsyncGenerator[PluginChanged | Lost, None]:
        """Yield that some may be missing, then what a test tells."""
        yield Lost()
        news = self.plugin_news.setdefault(node, asyncio.Queue())
        while True:
            yield await news.get()


class FakeVault:
    """A ports.Vault whose boxes say in clear text whom they are for, and what for."""

    def __init__(self, node: str) -> None:
        self._node = node

    def open(self, sealed: Sealed, subject: str) -> bytes:
        """Open what was sealed to our node."""
        key, bound_to, secret = sealed.box.split("|")
        if (key, bound_to) != (f"key-of-{self._node}", subject):
            raise errdefs.InvalidArgument(f"the credentials do not open for {subject!r}")
        return secret.encode()

    def seal(self, key: str, secret: bytes, subject: str) -> Sealed:
        """Seal to a key; raises InvalidArgument for what is none."""
        if " " in key:
            raise errdefs.InvalidArgument("the key to seal for is not a public key")
        return Sealed(box=f"{key}|{subject}|{secret.decode()}")


class ControllerWorld:
    """A controller of one node, beside others of *fleet* on one Redis."""

    def __init__(
        self,
        node: str = "n1",
        *,
        redis: FakeRedis | None = None,
        fleet: dict[str, ControllerWorld] | None = None,
        records: FakeRecords | None = None,
        role: Role = Role.BOTH,
    ) -> None:
        self.node = node
        self.role = role
        self.redis = redis or FakeRedis()
        self.worlds = {} if fleet is None else fleet
        self.worlds[node] = self
        self.records = records or FakeRecords()
        self.clock = FakeClock()
        self.fleet = FakeFleet(self.redis, node, self.worlds)
        self.is_running = True
        self.controller = self._make()

    async def __aenter__(self) -> Self:
        """Read the database and look at the lease once."""
        await self.controller.start()
        await self.controller.leadership.look()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """End what goes on in the background."""
        await self.controller.close()

    async def crash(self) -> None:
        """End as a killed process does: the lease is not let go, and runs out in its time."""
        self.is_running = False
        held, self.redis.holder = self.redis.holder, None
        await self.controller.close()
        self.redis.holder = held

    async def ask(self, command: Command[R], *, message_id: str = "m") -> R:
        """Have a command handled as one that arrived."""
        from services.controller.entrypoints.bus import commands

        handler = commands(self.controller)[type(command)]
        reply: Any = await handler(command, _arrival(message_id))
        return reply  # type: ignore[no-any-return]  # the handler's reply is the command's

    def _make(self) -> Controller:
        return Controller(
            catalog=Catalog(self.records, committed=lambda: None, clock=self.clock),
            lease=FakeLease(self.redis, self.node),
            fleet=self.fleet,
            clock=self.clock,
            node=self.node,
            version="0.1",
            seal_key=lambda: f"key-of-{self.node}",
            description=NodeDescription(
                architecture="x86_64",
                cpus=2,
                memory_bytes=1 << 30,
                runs_plugins=self.role is not Role.MANAGER,
            ),
            may_lead=self.role is not Role.WORKER,
            vault=FakeVault(self.node),
            new_id=new_id,
            lease_s=10.0,
            node_timeout_s=15.0,
        )


def _arrival(message_id: str) -> Delivery:
    return delivery(message_id)
