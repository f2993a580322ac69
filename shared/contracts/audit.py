"""The audit: who asked the API for what, told by the gateway and kept by the event service."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from shared.contracts.message import Command, Message, Value


class Phase(StrEnum):
    """What is told of a request."""

    #: It is about to be carried out; told before anything of it is done.
    BEGUN = "begun"
    #: It was answered.
    ENDED = "ended"
    #: It was not let in.
    REFUSED = "refused"


class RequestAudited(Message):
    """Somebody asked for a change, or for what only admins see."""

    TYPE: ClassVar[str] = "gateway.request.audited.v1"

    #: The same in both phases of one request.
    request_id: str
    phase: Phase
    time_ns: int
    #: How the client was recognized, and as whom: `socket uid 0`, `token ci`.
    who: str
    method: str
    path: str
    #: Of the query, what names things: never bodies or headers, which may hold secrets.
    query: dict[str, str] = Field(default_factory=dict)
    #: HTTP's; 0 while there is none.
    status: int = 0
    trace_id: str = ""


class AuditRecord(Value):
    """A line of the audit, and the hash that chains it to the one before."""

    seq: int
    request: RequestAudited
    hash: str


class AuditPage(Message):
    """A piece of the audit, oldest first."""

    TYPE: ClassVar[str] = "event.audit.page.v1"

    records: tuple[AuditRecord, ...]
    last_seq: int


class ReadAudit(Command[AuditPage]):
    """Read the audit after *after_seq*, or its last *limit* records where that is None."""

    TYPE: ClassVar[str] = "event.audit.read.v1"

    after_seq: int | None = None
    limit: int = Field(default=100, ge=1, le=1000)


class AuditVerified(Message):
    """What became of the chain: whole, or broken at a record."""

    TYPE: ClassVar[str] = "event.audit.verified.v1"

    records: int
    first_seq: int
    last_seq: int
    #: The hash of the last record: whoever notes it elsewhere can prove later what stood before.
    head: str
    #: The first record that does not fit; None: all do.
    broken_seq: int | None = None
    problem: str = ""


class VerifyAudit(Command[AuditVerified]):
    """Compute the chain anew, and compare it with a hash that was noted of a record."""

    TYPE: ClassVar[str] = "event.audit.verify.v1"

    noted_seq: int | None = None
    noted_hash: str = ""
