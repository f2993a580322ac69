"""The four ends of a delivery, decided without touching anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared import errdefs
from shared.contracts.message import Message


class Outcome(StrEnum):
    """What becomes of a delivery."""

    #: Handled: it is done with.
    ACK = "ack"
    #: The answer is an error: it is done with.
    REPLY = "reply"
    #: It will be handled again.
    RETRY = "retry"
    #: It goes to the dead-letter stream.
    BURY = "bury"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """An end of a delivery, and what is said about it."""

    outcome: Outcome
    #: The answer's body, in JSON.
    reply: bytes = b""
    #: What the sender is told.
    error: errdefs.Error | None = None
    #: What is logged with its traceback and buried with the message.
    fault: Exception | None = None


def answered(reply: Message) -> Settlement:
    """Settle a command whose handler returned; raises ValueError for what no JSON holds."""
    return Settlement(outcome=Outcome.ACK, reply=reply.model_dump_json().encode())


def failed(error: Exception, *, service: str, message_id: str) -> Settlement:
    """Settle a command whose handler raised; somebody waits, so nothing is tried again."""
    if isinstance(error, errdefs.Error):
        return Settlement(outcome=Outcome.REPLY, error=error)
    told = errdefs.Internal(f"internal error in {service} (message {message_id}): see its log")
    return Settlement(outcome=Outcome.BURY, error=told, fault=error)


def unreadable(error: Exception, told: errdefs.Error) -> Settlement:
    """Settle what no handler can be given."""
    return Settlement(outcome=Outcome.BURY, error=told, fault=error)


def late(message_type: str, *, service: str) -> Settlement:
    """Settle a command whose sender has stopped waiting."""
    text = f"{service} came to {message_type} only after its deadline, so it was not carried out"
    return Settlement(outcome=Outcome.REPLY, error=errdefs.DeadlineExceeded(text))


def worn_out(attempts: int, *, service: str, message_id: str) -> Settlement:
    """Settle a command whose deliveries all ended without a word: it may kill its handler."""
    fault = RuntimeError(f"delivered {attempts} times and never settled")
    return failed(fault, service=service, message_id=message_id)


def not_noted(error: Exception, *, attempt: int, cap: int) -> Settlement:
    """Settle a fact whose handler raised; *attempt* does not count waits for what was down."""
    if isinstance(error, errdefs.Unavailable) or attempt < cap:
        return Settlement(outcome=Outcome.RETRY, fault=error)
    return Settlement(outcome=Outcome.BURY, fault=error)
