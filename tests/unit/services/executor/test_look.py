"""Looks into running containers, on a host in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.executor.service.executor import Executor
from shared import errdefs
from shared.contracts.executor import (
    ContainerConfig,
    ListProcesses,
    MeasureContainers,
    StartContainer,
    StopContainer,
)
from tests.support.bus import FakePublisher, delivery
from tests.support.host import FakeHost


@pytest.fixture
async def host() -> FakeHost:
    """Give a host."""
    return FakeHost()


@pytest.fixture
async def executor(host: FakeHost) -> AsyncIterator[Executor]:
    """Give an executor with one container."""
    executor = Executor(host.host(), FakePublisher(), log_check_interval_s=1)
    config = ContainerConfig(rootfs="/rootfs", args=("/p",))
    await executor.start_container(StartContainer(container_id="c-1", config=config), delivery())
    yield executor
    await executor.close()


async def test_processes(host: FakeHost, executor: Executor) -> None:
    """Ps is asked for the pids of the container alone."""
    host.cgroups.pids = [7, 8]
    host.ps.output = "PID CMD\n7 a\n8 b\n9 c\n"
    table = await executor.look.list_processes(ListProcesses(container_id="c-1"), delivery())
    assert table.processes == (("7", "a"), ("8", "b"))
    assert host.ps.asked == [["-ef", "-q7,8"]]


async def test_arguments_that_select(host: FakeHost, executor: Executor) -> None:
    """Where ps can't be asked for the pids, others are left out afterwards."""
    host.cgroups.pids = [7]
    host.ps.output = "PID CMD\n7 a\n9 c\n"
    host.ps.complains_of_pids = True
    command = ListProcesses(container_id="c-1", ps_args="aux")
    table = await executor.look.list_processes(command, delivery())
    assert table.processes == (("7", "a"),)
    assert host.ps.asked[-1] == ["aux"]


async def test_ended(executor: Executor) -> None:
    """A container that ended has no processes, and is not measured."""
    await executor.stop_container(StopContainer(container_id="c-1"), delivery())
    with pytest.raises(errdefs.Conflict, match="not running"):
        await executor.look.list_processes(ListProcesses(container_id="c-1"), delivery())
    measured = await executor.look.measure(MeasureContainers(container_ids=("c-1",)), delivery())
    assert measured.figures == ()


async def test_measured(executor: Executor) -> None:
    """Of the containers asked for, those that are here are measured."""
    command = MeasureContainers(container_ids=("c-1", "c-2"))
    (figures,) = (await executor.look.measure(command, delivery())).figures
    assert figures.container_id == "c-1"
