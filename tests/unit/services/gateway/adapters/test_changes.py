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
