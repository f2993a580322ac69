"""The message bus over Redis streams."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from typing import Any, Literal, TypeVar

import structlog
from pydantic import ValidationError

from shared import errdefs
from shared.bus import metrics, names, tracing
from shared.bus.commands import CommandTable, complaints
from shared.bus.connection import DisconnectedError, Words
from shared.bus.consumer import CommandConsumer
from shared.bus.envelope import Envelope, Reply
from shared.bus.health import Checks, HealthReport
from shared.bus.lease import Fence, is_fenced
from shared.bus.pending import Group
from shared.bus.ports import CommandHandler, FactHandler, FactsHandler
from shared.bus.replies import Replies
from shared.bus.server import Server
from shared.bus.settings import BusSettings
from shared.bus.subscription import Subscription
from shared.bus.tail import Tail, Tailed
from shared.bus.trimming import trim
from shared.bus.writer import NotSentError, Writer
from shared.contracts.health import CheckHealth
from shared.contracts.message import Command, Message, owner_of
from shared.telemetry import context

R = TypeVar("R", bound=Message)

log = structlog.get_logger()

#: Facts that are published between two looks at what may leave the stream.
_TRIM_EVERY = 256
#: What is settled stays so long, for whoever looks what happened.
_KEPT_MS = 60_000

_PERHAPS = "may or may not have happened: look, then try again"


class RedisBus:
    """One service's end of the bus on one node: ports.Sender, ports.Publisher and the readers.

    One process per service and node serves and subscribes (the service's lock sees to it):
    it takes what its predecessor left pending for its own.

    *served_by* names, for an owner of messages, the service that takes its place on this node.
    """

    def __init__(
        self,
        *,
        url: str,
        node: str,
        service: str,
        process: str | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        settings: BusSettings | None = None,
        served_by: Mapping[str, str] | None = None,
    ) -> None:
        self.node = node
        self.service = service
        self.process = process or ""
        self.settings = settings or BusSettings()
        self.server = Server(url=url, node=node, settings=self.settings)
        self._clock_ns = clock_ns
        self._served_by = served_by or {}
        self._writer = Writer(self.server)
        self._replies = Replies(self.server)
        self._consumer: CommandConsumer | None = None
        self._report: HealthReport | None = None
        self._subscriptions: list[Subscription] = []
        self._reading: list[asyncio.Task[None]] = []
        self._handling: list[asyncio.Task[None]] = []
        self._answering: list[asyncio.Task[None]] = []
        self._readers: Collection[str] = ()
        self._published = 0

    async def open(self) -> None:
        """Begin to connect, write and read; returns at once, whether Redis is there or not."""
        # Named here and not before: the process may have been forked since.
        self.process = self.process or f"{self.service}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._replies.stream = names.replies(self.node, self.service, self.process)
        runs = (self._writer.run(), self._replies.run(), self.server.run_callbacks())
        self._answering = [asyncio.create_task(run) for run in runs]
        if self._consumer is not None:
            self._reading.append(asyncio.create_task(self._consumer.run()))
        for subscription in self._subscriptions:
            self._handling.append(asyncio.create_task(subscription.run()))

    async def close(self) -> None:
        """Stop reading, let handlers in hand finish and settle, delete the reply stream.

        What takes longer than the settings' *close_s* is cancelled and delivered again later.
        Tails go on until their own iterators are closed. Closing again does nothing.
        """
        if not self._answering:
            return
        await _cancel(self._reading)
        limit_s = self.settings.close_s
        finishing = [subscription.finish(limit_s) for subscription in self._subscriptions]
        if self._consumer is not None:
            finishing.append(self._consumer.finish(limit_s))
        await asyncio.gather(*finishing)
        await _cancel(self._handling)
        self._replies.fail_all(f"the message bus was closed; what was asked {_PERHAPS}")
        with contextlib.suppress(TimeoutError, NotSentError, DisconnectedError):
            async with asyncio.timeout(1.0):
                await self._writer.call(("DEL", self._replies.stream), patience_s=0.5)
        await _cancel(self._answering)

    async def wait_connected(self, timeout_s: float) -> bool:
        """Wait until Redis answers; tell whether it did in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.server.wait_up()
        except TimeoutError:
            return False
        return True

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have *callback* run after each connection, the first too, and after a loss of data.

        Callbacks run one after the other; several occasions while they run are one.
        """
        self.server.on_reconnect(callback)

    async def send(
        self,
        command: Command[R],
        *,
        timeout_s: float,
        owner: str | None = None,
        message_id: str | None = None,
        node: str | None = None,
        fence: Fence | None = None,
    ) -> R:
        """Send a command to its owner and return the reply, as ports.Sender has it.

        *node* is another node on the same Redis. With a *fence*, Redis takes the command only
        while the lease is ours; raises Conflict otherwise, nothing sent.
        """
        owner = owner or owner_of(command.TYPE)
        at_home = node in (None, self.node)
        owner = self._serving(owner) if at_home else owner
        stream = names.commands(node or self.node, owner)
        with tracing.sending(stream) as span:
            envelope = self._envelope(
                command,
                message_id=message_id,
                correlation=uuid.uuid4().hex,
                reply_to=self._replies.stream,
                deadline_ns=self._clock_ns() + int(timeout_s * 1e9),
            )
            tracing.describe(span, stream, envelope)
            try:
                reply = await self._ask(stream, envelope, timeout_s, fence)
            except errdefs.Error as error:
                metrics.UNANSWERED.labels(command.TYPE, error.code).inc()
                raise
            if reply.error is not None:
                raise reply.error
            return _read_reply(command, reply)

    async def publish(self, message: Message, *, message_id: str | None = None) -> None:
        """Append a fact to the service's changes stream; raises Unavailable."""
        stream = names.changes(self.node, self.service)
        with tracing.sending(stream) as span:
            envelope = self._envelope(message, message_id=message_id)
            tracing.describe(span, stream, envelope)
            length = self.settings.changes_length
            await self.write(("XADD", stream, "MAXLEN", "~", length, "*", *envelope.encode()))
        self._published += 1
        if self._readers and self._published % _TRIM_EVERY == 0:
            await self._trim(stream)

    def read_by(self, readers: Collection[str]) -> None:
        """Name all services that subscribe to what is published here.

        What they have settled leaves the stream after a minute; what they have not stays.
        """
        self._readers = readers

    async def _trim(self, stream: str) -> None:
        before_ms = self._clock_ns() // 1_000_000 - _KEPT_MS
        try:
            await self.ask(trim(stream, before_ms, self._readers))
        except errdefs.Unavailable as error:
            # It only grows, up to its length; what was published is there.
            log.warning("changes stream not trimmed", reason=error.message)

    async def write(self, *commands: Words) -> str:
        """Send commands of which none is an error; return the generation of data they met.

        Raises Unavailable.
        """
        return (await self._call(*commands))[0]

    async def ask(self, command: Words) -> Any:
        """Send a command to Redis itself and return its answer; raises Unavailable."""
        return (await self._call(command))[1][0]

    async def _call(self, *commands: Words) -> tuple[str, list[Any]]:
        if not self._answering:
            raise errdefs.Unavailable("the message bus is not open")
        try:
            generation, answers = await self._writer.call(
                *commands, patience_s=self.settings.patience_s
            )
        except NotSentError as error:
            raise errdefs.Unavailable(
                "the message bus does not answer; nothing was sent: try again"
            ) from error
        except DisconnectedError as error:
            raise errdefs.Unavailable(
                f"the message bus stopped answering; what was asked {_PERHAPS}"
            ) from error
        for answer in answers:
            if is_fenced(answer):
                raise errdefs.Conflict(
                    "nothing was sent: the lease is another process's by now",
                    detail={"fenced": True},
                )
            if isinstance(answer, Exception):
                raise errdefs.Unavailable(f"the message bus refuses: {answer}") from answer
        return generation, answers

    def serve(
        self,
        handlers: Mapping[type[Command[Any]], CommandHandler],
        *,
        concurrency: int = 64,
        checks: Checks | None = None,
        version: str = "",
    ) -> None:
        """Handle the commands of this service; CheckHealth is answered here.

        Called before *open* or after, once.
        """
        stream = names.commands(self.node, self.service)
        group = Group(stream=stream, name=self.service)
        report = self._report = HealthReport(
            writer=self._writer,
            group=group,
            node=self.node,
            service=self.service,
            version=version,
            checks=checks,
        )
        table = CommandTable(
            {CheckHealth: report.check_health, **handlers},
            service=self.service,
            stream=stream,
            delivery_cap=self.settings.delivery_cap,
            clock_ns=self._clock_ns,
        )
        self._consumer = CommandConsumer(
            server=self.server,
            writer=self._writer,
            group=group,
            table=table,
            source=self.service,
            concurrency=concurrency,
        )
        if self._answering:
            self._reading.append(asyncio.create_task(self._consumer.run()))

    async def measure(self) -> None:
        """Bring those of the bus's metrics up to date that Redis alone knows."""
        if self._report is not None and self._answering:
            await self._report.measure()

    def subscribe(
        self,
        owner: str,
        handlers: Mapping[type[Message], FactHandler],
        *,
        order: Literal["serial"] = "serial",
        together: FactsHandler | None = None,
        linger_s: float = 0.0,
        tells: Callable[[Any], bool] | None = None,
    ) -> None:
        """Handle another service's facts in order, each once it returned settled for good.

        A handler that raises is tried again with back-off, holding up what follows, until the
        fact is buried; Unavailable is tried for ever. *together*, where it is given, is handed
        facts that came together, all at once; when it raises they go to their handlers. What need
        not be handled at once may wait *linger_s* for more to come.

        Where *tells* is given, only facts that it says nothing of wait, and of those nothing is
        told: no span, and a line at level debug unless they fail.
        """
        assert order == "serial"
        stream = names.changes(self.node, self._serving(owner))
        group = Group(stream=stream, name=self.service)
        subscription = Subscription(
            server=self.server,
            writer=self._writer,
            group=group,
            handlers=handlers,
            together=together,
            linger_s=linger_s,
            tells=tells,
        )
        self._subscriptions.append(subscription)
        if self._answering:
            self._handling.append(asyncio.create_task(subscription.run()))

    def tail(
        self, owner: str, *, after: str = "0-0", node: str | None = None
    ) -> AsyncGenerator[Tailed, None]:
        """Read another service's facts from a cursor, for ever: `(Envelope, Delivery)` or `Gap`.

        *after* `$` begins at the end with a Gap, which says: take your first snapshot now. *node*
        is another node on the same Redis.
        """
        at_home = node in (None, self.node)
        stream = names.changes(node or self.node, self._serving(owner) if at_home else owner)
        return Tail(server=self.server, stream=stream, after=after).read()

    def _serving(self, owner: str) -> str:
        return self._served_by.get(owner, owner)

    def _envelope(
        self,
        message: Message,
        *,
        message_id: str | None,
        correlation: str = "",
        reply_to: str = "",
        deadline_ns: int | None = None,
    ) -> Envelope:
        return Envelope(
            message_id=message_id or correlation or uuid.uuid4().hex,
            message_type=message.TYPE,
            node=self.node,
            source=self.process,
            body=message.model_dump_json().encode(),
            correlation=correlation,
            traceparent=context.traceparent(),
            reply_to=reply_to,
            deadline_ns=deadline_ns,
        )

    async def _ask(
        self, stream: str, envelope: Envelope, timeout_s: float, fence: Fence | None
    ) -> Reply:
        options = ("MAXLEN", "~", self.settings.commands_length, "*")
        head = ("XADD", stream) if fence is None else fence.adding_to(stream)
        asked = envelope.message_type
        waiting = self._replies.expect(envelope.correlation, asked)
        is_taken = False
        try:
            async with asyncio.timeout(timeout_s):
                generation = await self.write((*head, *options, *envelope.encode()))
                is_taken = True
                waiting.taken(generation, current=self.server.generation)
                return await waiting.reply
        except TimeoutError as error:
            if is_taken:
                raise errdefs.DeadlineExceeded(
                    f"no answer to {asked} within {timeout_s:g} s; it may still happen"
                ) from error
            raise errdefs.Unavailable(
                f"the message bus does not answer; {asked} {_PERHAPS}"
            ) from error
        finally:
            self._replies.forget(envelope.correlation)


def _read_reply(command: Command[R], reply: Reply) -> R:
    try:
        return command.reply_type().model_validate_json(reply.body)
    except ValidationError as error:
        raise errdefs.Internal(
            f"the answer to {command.TYPE} cannot be read: {complaints(error)}"
        ) from error


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()
