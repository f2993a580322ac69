"""The audit's chain, and what its handlers promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.event.domain.audit import Link, verified
from services.event.service.audit import AuditService
from shared import errdefs
from shared.contracts.audit import (
    AuditPage,
    AuditRecord,
    AuditVerified,
    Phase,
    ReadAudit,
    RequestAudited,
    VerifyAudit,
)
from tests.support.bus import delivery

_START = Link(seq=0, hash="0" * 64)
_NOTHING_NOTED = VerifyAudit()


def _chain(*bodies: str) -> list[Link]:
    links = [_START]
    for body in bodies:
        links.append(links[-1].next(body))
    return links[1:]


def test_a_whole_chain_is_whole() -> None:
    """All records fit, and the head is the last one's hash."""
    links = _chain("a", "b", "c")

    found = verified(_START, links, _NOTHING_NOTED)

    assert (found.records, found.first_seq, found.last_seq) == (3, 1, 3)
    assert found.head == links[-1].hash
    assert found.broken_seq is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(), min_size=1, max_size=8), st.data())
def test_a_changed_record_is_found(bodies: list[str], data: st.DataObject) -> None:
    """Whatever is changed in whichever record, that record is named."""
    links = _chain(*bodies)
    at = data.draw(st.integers(0, len(links) - 1))
    other = data.draw(st.text().filter(lambda text: text != bodies[at]))
    links[at] = Link(seq=links[at].seq, body=other, hash=links[at].hash)

    assert verified(_START, links, _NOTHING_NOTED).broken_seq == at + 1


def test_a_record_that_was_made_to_fit_breaks_the_next_one() -> None:
    """Who changes one and its hash has to change all that follow."""
    links = _chain("a", "b", "c")
    links[1] = links[0].next("x")

    assert verified(_START, links, _NOTHING_NOTED).broken_seq == 3


def test_a_record_that_was_taken_out_is_missed() -> None:
    """Numbers are dense."""
    links = _chain("a", "b", "c")
    del links[1]

    found = verified(_START, links, _NOTHING_NOTED)

    assert found.broken_seq == 3
    assert found.problem == "records 2 to 2 are missing"


def test_a_chain_that_was_made_anew_differs_from_what_was_noted() -> None:
    """A hash that was noted elsewhere is the proof that the database can't give."""
    before = _chain("a", "b", "c")[1]
    anew = _chain("a", "x", "c")

    noted = VerifyAudit(noted_seq=before.seq, noted_hash=before.hash)

    assert verified(_START, _chain("a", "b", "c"), noted).broken_seq is None
    assert verified(_START, anew, noted).broken_seq == 2


def test_an_end_that_was_cut_off_is_missed_where_it_was_noted() -> None:
    """A shorter chain is whole in itself."""
    links = _chain("a", "b", "c")
    noted = VerifyAudit(noted_seq=3, noted_hash=links[2].hash)

    found = verified(_START, links[:2], noted)

    assert found.broken_seq == 3
    assert "cut off" in found.problem


@dataclass
class FakeAudit:
    """A ports.Audit in memory."""

    error: errdefs.Error | None = None
    ids: list[str] = field(default_factory=list)

    async def append(
        self, requests: Sequence[tuple[RequestAudited, str]]
    ) -> tuple[AuditRecord, ...]:
        if self.error is not None:
            raise self.error
        new = [(request, one) for request, one in requests if one not in self.ids]
        self.ids += [one for _, one in new]
        return tuple(AuditRecord(seq=1, request=request, hash="h") for request, _ in new)

    async def page(self, query: ReadAudit) -> AuditPage:
        return AuditPage(records=(), last_seq=len(self.ids))

    async def verify(self, noted: VerifyAudit) -> AuditVerified:
        return verified(_START, [], noted)


def _request() -> RequestAudited:
    return RequestAudited(
        request_id="r", phase=Phase.BEGUN, time_ns=1, who="socket uid 0", method="POST", path="/x"
    )


async def test_a_redelivered_record_adds_nothing() -> None:
    """The message's id tells a second arrival."""
    audit = FakeAudit()
    service = AuditService(audit=audit)

    for _ in range(2):
        await service.take_in(_request(), delivery(message_id="m"))

    assert audit.ids == ["m"]


async def test_a_full_disk_holds_records_back() -> None:
    """They wait on the bus instead of being buried."""
    service = AuditService(audit=FakeAudit(error=errdefs.ResourceExhausted("full")))

    with pytest.raises(errdefs.Unavailable):
        await service.take_in(_request(), delivery())
