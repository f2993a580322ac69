"""The audit's chain: each record's hash covers the one before; none can be changed alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from shared.contracts.audit import AuditVerified, VerifyAudit


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A record as it lies in the database; of a chain's start the body is empty."""

    seq: int
    body: str = ""
    hash: str

    def next(self, body: str) -> Link:
        """Return the record that follows."""
        seq = self.seq + 1
        content = f"{self.hash}\n{seq}\n{body}".encode()
        return Link(seq=seq, body=body, hash=hashlib.sha256(content).hexdigest())


def verified(start: Link, links: Iterable[Link], noted: VerifyAudit) -> AuditVerified:
    """Compute a chain anew from its start, and tell where it first differs from what is kept."""
    before, problem = start, ""
    last = start
    for link in links:
        problem = _problem(before, link, noted)
        if problem:
            last = link
            break
        before = last = link
    if not problem and noted.noted_seq is not None and noted.noted_seq > last.seq:
        problem = (
            f"record {noted.noted_seq}, whose hash was noted, is not there: the end was cut off"
        )
        last = Link(seq=last.seq + 1, hash="")
    return AuditVerified(
        records=before.seq - start.seq,
        first_seq=start.seq + 1,
        last_seq=before.seq,
        head=before.hash,
        broken_seq=last.seq if problem else None,
        problem=problem,
    )


def _problem(before: Link, link: Link, noted: VerifyAudit) -> str:
    if link.seq != before.seq + 1:
        return f"records {before.seq + 1} to {link.seq - 1} are missing"
    if before.next(link.body).hash != link.hash:
        return f"record {link.seq} was changed, or one before it was"
    if noted.noted_seq == link.seq and noted.noted_hash != link.hash:
        return f"record {link.seq} has another hash than was noted: the chain was made anew"
    return ""
