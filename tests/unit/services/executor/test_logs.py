"""A log is one, over all the containers that wrote it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from services.executor.service.executor import Executor
from shared.contracts.executor import (
    ClearLeftovers,
    ContainerConfig,
    DeleteContainer,
    DeleteLog,
    FollowLog,
    LogEntry,
    StartContainer,
    StopContainer,
)
from tests.support.bus import FakePublisher, delivery
from tests.support.containers import eventually
from tests.support.host import FakeHost
from tests.support.wait import all_have_run

_CONFIG = ContainerConfig(rootfs="/rootfs", args=("/p",))


class Scene:
    """An executor on a host in memory, and what it was asked to show."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.executor = Executor(self.host.host(), FakePublisher(), log_check_interval_s=1)

    async def start(self, number: int) -> str:
        """Start a container of the log."""
        container_id = f"c-{number}"
        command = StartContainer(container_id=container_id, config=_CONFIG, log_name="log")
        self.host.clock.ns += 1
        await self.executor.start_container(command, delivery())
        return container_id

    async def end(self, container_id: str) -> None:
        """Stop and delete a container."""
        await self.executor.stop_container(StopContainer(container_id=container_id), delivery())
        await self.executor.delete_container(DeleteContainer(container_id=container_id), delivery())

    async def run(self, number: int, *seconds: int) -> None:
        """Have a container write lines, end and be deleted."""
        container_id = await self.start(number)
        for second in seconds:
            self.host.logs.output(container_id).write(second, str(second))
        await self.end(container_id)

    async def shown(self, **wish: Any) -> list[str]:
        """Return the log's entries in short, once it ends."""
        follow = self.executor.logs.follow(FollowLog(log_name="log", **wish))
        return [short(entry) async for batch in follow for entry in batch]


def short(entry: LogEntry) -> str:
    """Write an entry as a word."""
    if entry.line is not None:
        return entry.line.text + ("…" if entry.line.partial else "")
    return f"{entry.container_id}{'.' if entry.exit else ':'}"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Give an executor."""
    scene = Scene()
    yield scene
    await scene.executor.close()


async def test_all_containers(scene: Scene) -> None:
    """What was kept of those before comes first, then the output of the one that runs."""
    await scene.run(1, 1, 2)
    await scene.run(2, 3)
    scene.host.logs.output(await scene.start(3)).write(4, "4")
    assert await scene.shown() == ["c-1:", "1", "2", "c-1.", "c-2:", "3", "c-2.", "c-3:", "4"]


@pytest.mark.parametrize(
    ("wish", "shown"),
    [
        ({"tail": 0}, ""),
        ({"tail": 1}, "c-2: 4 c-2."),
        ({"tail": 2}, "c-2: 3 4 c-2."),
        ({"tail": 3}, "c-1: 2 c-1. c-2: 3 4 c-2."),
        ({"tail": 9}, "c-1: 1 2 c-1. c-2: 3 4 c-2."),
        ({"since_ns": 2 * 10**9}, "c-1: 2 c-1. c-2: 3 4 c-2."),
        ({"since_ns": 4 * 10**9}, "c-2: 4 c-2."),
        ({"until_ns": 3 * 10**9}, "c-1: 1 2 c-1. c-2: 3"),
        ({"since_ns": 2 * 10**9, "until_ns": 2 * 10**9}, "c-1: 2 c-1."),
    ],
)
async def test_parts(scene: Scene, wish: dict[str, Any], shown: str) -> None:
    """A part of it is over several containers, if need be; one without a line is not shown."""
    await scene.run(1, 1, 2)
    await scene.run(2, 3, 4)
    assert await scene.shown(**wish) == shown.split()


async def test_followed_over_a_restart(scene: Scene) -> None:
    """Who follows is shown what is written later, the end, and the next container's output."""
    output = scene.host.logs.output(await scene.start(1))
    output.write(1, "1")
    follow = scene.executor.logs.follow(FollowLog(log_name="log", follow=True))
    told: list[str] = []

    async def read() -> None:
        async for batch in follow:
            told.extend(map(short, batch))

    reading = asyncio.create_task(read())
    await eventually(lambda: "1" in told, "it is told")
    output.write(2, "2", tag="P")
    await eventually(lambda: "2…" in told, "it is told")
    await scene.end("c-1")
    await scene.run(2, 3)  # it comes and goes before the reader looks
    scene.host.logs.output(await scene.start(3)).write(4, "4")
    await eventually(lambda: "4" in told, "it is told")
    assert told == ["c-1:", "1", "2…", "c-1.", "c-2:", "3", "c-2.", "c-3:", "4"]
    await scene.end("c-3")
    await scene.executor.delete_log(DeleteLog(log_name="log"), delivery())
    await reading


async def test_followed_up_to_a_time(scene: Scene) -> None:
    """Following ends when the time is over, though nothing more was written."""
    scene.host.logs.output(await scene.start(1)).write(1, "1")
    now_ns = scene.host.clock.now_ns()
    assert await scene.shown(follow=True, until_ns=max(now_ns, 10**9) + 1) == ["c-1:", "1"]


@pytest.mark.parametrize("wish", [{}, {"tail": 9}, {"follow": True}], ids=str)
async def test_who_hangs_up_leaves_nothing_open(scene: Scene, wish: dict[str, Any]) -> None:
    """A reader that goes after the first lines of the first container keeps no other's open."""
    for number in range(1, 4):
        await scene.run(number, number)

    async with aclosing(scene.executor.logs.follow(FollowLog(log_name="log", **wish))) as batches:
        await anext(batches)

    assert [reader.is_closed for reader in scene.host.logs.readers] == [True] * 3
    assert scene.host.logs.watched == set()


@pytest.mark.parametrize("wish", [{}, {"tail": 9}], ids=str)
async def test_a_log_that_cannot_be_opened_leaves_nothing_open(
    scene: Scene, wish: dict[str, Any]
) -> None:
    """A disk that fails at one container keeps no other's output open."""
    for number in range(1, 4):
        await scene.run(number, number)
    scene.host.logs.unreadable.add("c-1")

    with pytest.raises(OSError, match="Input/output error"):
        await scene.shown(**wish)

    assert [reader.is_closed for reader in scene.host.logs.readers] == [True] * 2


async def test_who_hangs_up_at_the_opening_leaves_nothing_open(scene: Scene) -> None:
    """A reader that goes while its log is being opened waits for what is opened, and closes it."""
    await scene.run(1, 1)
    scene.host.logs.may_open.clear()
    reading = asyncio.create_task(scene.shown())
    await all_have_run()

    reading.cancel()
    await all_have_run()
    scene.host.logs.may_open.set()
    with pytest.raises(asyncio.CancelledError):
        await reading

    await eventually(lambda: scene.host.logs.readers, "it was opened")
    assert [reader.is_closed for reader in scene.host.logs.readers] == [True]


async def test_leftovers_of_a_plugin(scene: Scene) -> None:
    """What is mounted below its folder is unmounted, and of its log nothing is left."""
    await scene.run(1, 1)
    command = ClearLeftovers(path="/data/plugins/p", log_name="log")
    await scene.executor.clear_leftovers(command, delivery())
    assert scene.host.mounts.unmounted == ["/data/plugins/p"]
    assert await scene.shown() == []


async def test_deleted_log(scene: Scene) -> None:
    """Of a deleted log nothing is left."""
    await scene.run(1, 1)
    await scene.executor.delete_log(DeleteLog(log_name="log"), delivery())
    assert await scene.shown() == []
