"""From an entry of a command stream to its settlement: everything but Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from structlog.contextvars import bound_contextvars

from shared import errdefs
from shared.bus import lines, metrics, settle, subject, tracing
from shared.bus.envelope import Envelope, Fields, UnreadableError, decode
from shared.bus.pending import Claimed
from shared.bus.ports import CommandHandler, Delivery
from shared.bus.position import order
from shared.bus.settle import Settlement
from shared.contracts.message import Command, Message
from shared.telemetry.spans import note_error


class CommandTable:
    """The commands that a service knows, and how each delivery of one ends."""

    def __init__(
        self,
        handlers: Mapping[type[Command[Any]], CommandHandler],
        *,
        service: str,
        stream: str,
        delivery_cap: int,
        clock_ns: Callable[[], int],
    ) -> None:
        self._handlers = {model.TYPE: (model, handler) for model, handler in handlers.items()}
        self._service = service
        self._stream = stream
        self._delivery_cap = delivery_cap
        self._clock_ns = clock_ns

    async def handle(self, claimed: Claimed) -> Settlement:
        """Run the handler of one delivery, if it is to be run, and say how it ended."""
        try:
            envelope = decode(claimed.entry.fields or {})
        except UnreadableError as error:
            return settle.unreadable(error, errdefs.InvalidArgument(f"unreadable: {error}"))
        if envelope.deadline_ns is not None and self._clock_ns() >= envelope.deadline_ns:
            return settle.late(envelope.message_type, service=self._service)
        if claimed.attempt > self._delivery_cap:
            return settle.worn_out(
                claimed.attempt - 1, service=self._service, message_id=envelope.message_id
            )
        return await self._dispatch(envelope, claimed)

    async def _dispatch(self, envelope: Envelope, claimed: Claimed) -> Settlement:
        if envelope.message_type not in self._handlers:
            text = f"{self._service} does not know {envelope.message_type}: update it"
            return settle.unreadable(LookupError(text), errdefs.Unimplemented(text))
        model, handler = self._handlers[envelope.message_type]
        try:
            command: Command[Any] = envelope.read(model)
        except ValidationError as error:
            return settle.unreadable(
                error, errdefs.InvalidArgument(f"{envelope.message_type}: {complaints(error)}")
            )
        arrival = delivery(envelope, stream_id=claimed.entry.stream_id, attempt=claimed.attempt)
        return await self._run(handler, command, envelope, arrival)

    async def _run(
        self, handler: CommandHandler, command: Command[Any], envelope: Envelope, arrival: Delivery
    ) -> Settlement:
        self._count(arrival)
        about = subject.of(command)
        with (
            tracing.handling_command(self._stream, envelope, about) as span,
            bound_contextvars(**about),
            lines.told("command", is_quiet=command.IS_ROUTINE) as line,
            metrics.timed(metrics.COMMAND_SECONDS, command.TYPE) as timing,
        ):
            try:
                reply: object = await handler(command, arrival)
                return settle.answered(_checked(reply))
            except Exception as error:  # noqa: BLE001 - settle sorts them; none is dropped
                note_error(span, error)
                timing.error = line.error = error
                return settle.failed(error, service=self._service, message_id=arrival.message_id)

    def _count(self, arrival: Delivery) -> None:
        if arrival.attempt > 1:
            metrics.REDELIVERED.inc()
        arrived_ms, _ = order(arrival.stream_id)
        metrics.COMMAND_WAIT_SECONDS.observe(max(0.0, self._clock_ns() / 1e9 - arrived_ms / 1e3))


def _checked(reply: object) -> Message:
    if not isinstance(reply, Message):
        raise TypeError(f"a handler must return a message, not {type(reply).__name__}")
    return reply


def delivery(envelope: Envelope, *, stream_id: str, attempt: int) -> Delivery:
    """Return what a handler is told of an arrival."""
    return Delivery(
        message_id=envelope.message_id,
        stream_id=stream_id,
        attempt=attempt,
        deadline_ns=envelope.deadline_ns,
        source=envelope.source,
        correlation=envelope.correlation,
    )


def complaints(error: ValidationError) -> str:
    """Return what is wrong with a body, without the values, which may be secrets."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found)


def binding(fields: Fields, *, attempt: int) -> dict[str, str | int]:
    """Return what log lines about a delivery carry, readable or not."""
    return {
        "message_id": fields.get(b"id", b"").decode(errors="replace"),
        "correlation": fields.get(b"corr", b"").decode(errors="replace"),
        "type": fields.get(b"type", b"").decode(errors="replace"),
        "attempt": attempt,
    }
