"""Progress on its way out."""

from __future__ import annotations

import asyncio

from services.pull.service.lines import Lines
from services.pull.service.pace import Pace
from shared import errdefs
from shared.contracts.job import JobEnded, JobProgress
from shared.contracts.message import Message
from tests.support.pull import FakeWriter
from tests.support.wait import eventually


async def test_lines_are_written_in_their_order() -> None:
    """Leaving waits until the last one is written."""
    writer = FakeWriter()
    async with Lines(writer) as said:
        for number in range(50):
            said.say(f"line {number}", "id")
    assert [status for _, status in writer.said] == [f"line {number}" for number in range(50)]


async def test_what_is_said_within_a_tick_is_written_together() -> None:
    """A job that is over by then takes one write, its end in it."""
    writes: list[tuple[Message, ...]] = []

    class Counting(FakeWriter):
        async def write(self, *messages: Message, final: bool = False) -> None:
            writes.append(messages)
            await super().write(*messages, final=final)

    writer = Counting()
    async with Lines(writer, gather_s=60.0) as said:
        said.say("Pulling")
        await asyncio.sleep(0)
        said.say("Complete")
        await said.end(JobEnded())
    assert [len(written) for written in writes] == [3]
    assert [status for _, status in writer.said] == ["Pulling", "Complete"]
    assert writer.finals == [JobEnded()]


async def test_what_is_said_is_written_while_the_job_goes_on() -> None:
    """Whoever follows it need not wait for its end."""
    writer = FakeWriter()
    async with Lines(writer) as said:
        said.say("Pulling")
        await eventually(lambda: len(writer.messages) == 1)
        said.say("Waiting")
        await said.flush()
        assert [status for _, status in writer.said] == ["Pulling", "Waiting"]


async def test_what_moves_is_told_ten_times_a_second() -> None:
    """Each layer, and each kind of movement, has its own pace."""
    writer = FakeWriter()
    now = 0.0
    async with Lines(writer, clock=lambda: now) as said:
        for number in range(1000):
            now = number / 1000
            said.moved("Downloading", "a", number, 1000)
            said.moved("Extracting", "a", number, 1000)
            said.moved("Downloading", "b", number, 1000)
    told = [line for line in writer.messages if isinstance(line, JobProgress)]
    for status, id_ in (("Downloading", "a"), ("Extracting", "a"), ("Downloading", "b")):
        counts = [line.current for line in told if (line.status, line.id) == (status, id_)]
        assert len(counts) in (9, 10)
        assert counts[0] == 0


async def test_terse_lines_tell_what_takes_its_time() -> None:
    """What was there, or moved within a tick, is not told; what is larger is."""
    writer = FakeWriter()
    now = 0.0
    async with Lines(writer, clock=lambda: now, is_terse=True) as said:
        said.say("Already exists", "a")
        for number in range(1000):
            now = number / 1000
            if number < 90:
                said.moved("Extracting", "a", number, 90)
            said.moved("Downloading", "b", number, 1000)
        said.say("Complete", "b")
    told = [line for line in writer.messages if isinstance(line, JobProgress)]
    assert {(line.status, line.id) for line in told} == {("Downloading", "b")}
    assert len(told) in (8, 9)


async def test_a_bus_that_is_away_is_not_waited_for_line_by_line() -> None:
    """What is queued behind a line that was lost is dropped with it."""
    tries = 0

    class Away(FakeWriter):
        async def write(self, *messages: Message, final: bool = False) -> None:
            nonlocal tries
            tries += 1
            raise errdefs.Unavailable("away")

    async with Lines(Away()) as said:
        for _ in range(100):
            said.say("line")
    assert tries < 5


async def test_the_end_is_told_when_the_bus_is_back() -> None:
    """It is the one message that somebody waits for."""
    left = 3

    class Flaky(FakeWriter):
        async def write(self, *messages: Message, final: bool = False) -> None:
            nonlocal left
            left -= 1
            if left:
                raise errdefs.Unavailable("away")
            await super().write(*messages, final=final)

    writer = Flaky()
    await Lines(writer).end(JobEnded(), Pace(end_retry_s=0.0))
    assert writer.finals == [JobEnded()]


async def test_the_end_is_given_up_at_last() -> None:
    """A bus that stays away does not hold the worker for ever."""
    writer = FakeWriter()
    writer.error = errdefs.Unavailable("away")
    await Lines(writer).end(JobEnded(), Pace(end_retry_s=0.0))
    assert writer.finals == []
