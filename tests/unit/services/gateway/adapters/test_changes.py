"""What other services publish, as the gateway reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from services.gateway.adapters.changes import StreamChanges
from services.gateway.ports import Lost
from shared.bus.envelope import Envelope
from shared.bus.tail import Gap, Tailed
from shared.contracts.store import PluginChanged
from tests.support.bus import delivery
from tests.support.gateway import EPOCH, changed, plugin
from tests.support.spans import recorded

#: Revision 5 was published by a trace that is recorded, revision 7 by one that is not.
_CAUSES = {5: f"00-{5:032x}-{5:016x}-01", 7: f"00-{7:032x}-{7:016x}-00"}


class _Bus:
    """A stream of a gap and three revisions."""

    async def tail(self, owner: str, *, after: str = "0-0") -> AsyncGenerator[Tailed]:
        yield Gap(reason=f"{owner} starts", after=after)
        for revision in (5, 6, 7):
            body = changed(revision, plugin("a")).model_dump_json().encode()
            envelope = Envelope(
                message_id="m",
                message_type=PluginChanged.TYPE,
                node="n",
                source="store",
                epoch=EPOCH,
                body=body if revision != 6 else b"never looked at",
                traceparent=_CAUSES.get(revision, ""),
            )
            yield envelope, delivery(stream_id=f"{revision}-0")


async def test_what_is_known_is_passed_over_unparsed() -> None:
    """A verb's reply brought revision 6 before the stream did."""
    changes = StreamChanges(
        bus=_Bus(), owner="store", model=PluginChanged, is_known=lambda _, revision: revision == 6
    )

    read = [message async for message in changes.tail()]

    assert isinstance(read[0], Lost)
    assert [m.revision for m in read[1:] if isinstance(m, PluginChanged)] == [5, 7]


async def test_what_a_recorded_trace_published_is_taken_up_in_one_linked_to_it() -> None:
    """What no recorded trace published makes no span."""
    changes = StreamChanges(bus=_Bus(), owner="store", model=PluginChanged, is_traced=True)

    with recorded() as spans:
        read = [message async for message in changes.tail()]

    assert [m.revision for m in read if isinstance(m, PluginChanged)] == [5, 7]
    (span,) = spans.get_finished_spans()
    assert (span.name, span.parent) == ("process store.plugin.changed.v1", None)
    assert [link.context.span_id for link in span.links] == [5]
