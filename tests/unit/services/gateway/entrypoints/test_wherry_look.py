"""Processes and figures in /wherry/v1."""

from __future__ import annotations

import json
from typing import Any

from shared.contracts.executor import (
    BlockFigures,
    ContainerFigures,
    CpuFigures,
    FiguresList,
    ListProcesses,
    MeasureContainers,
    MemoryFigures,
    ProcessTable,
)
from shared.contracts.plugin import PluginState, PluginStatus
from shared.contracts.store import EnablePlugin
from tests.support.gateway import changed, plugin, plugin_id, reply
from tests.support.gateway_app import AppWorld

_PATH = "/wherry/v1/plugins/a/plugin"


async def _run(world: AppWorld) -> None:
    status = PluginStatus(state=PluginState.RUNNING, container_id="aaaaaaaaaaaa-1")
    world.sender.answers[EnablePlugin] = reply(changed(5, plugin("a", enabled=True, status=status)))
    await world.client.post("/plugins/a/plugin/enable?timeout=1")


def _measure(world: AppWorld) -> None:
    """Have each measurement a second, and half a second of processor time, after the last."""
    count = 0

    def answer(command: MeasureContainers) -> FiguresList:
        nonlocal count
        count += 1
        figures = ContainerFigures(
            container_id="aaaaaaaaaaaa-1",
            read_at_ns=count * 10**9,
            host_cpu_ns=count * 2 * 10**9,
            host_cpus=2,
            cpu=CpuFigures(total_ns=count * 5 * 10**8),
            memory=MemoryFigures(usage_bytes=7, limit_bytes=70, kernel={"cache": 1}),
            pids=3,
            block_io=(BlockFigures(major=8, minor=0, operation="read", size_bytes=9, count=1),),
        )
        return FiguresList(figures=(figures,) if command.container_ids else ())

    world.sender.answers[MeasureContainers] = answer


async def test_processes(world: AppWorld) -> None:
    """Processes are those of the plugin's container."""
    await _run(world)
    world.sender.answers[ListProcesses] = ProcessTable(titles=("PID",), processes=(("7",),))
    response = await world.get(f"{_PATH}/top", ps_args="-o pid")
    assert response.json() == {"titles": ["PID"], "processes": [["7"]]}
    assert world.sender.sent[-1] == ListProcesses(container_id="aaaaaaaaaaaa-1", ps_args="-o pid")


async def test_processes_of_a_stopped_plugin(world: AppWorld) -> None:
    """A plugin that does not run has no processes."""
    response = await world.get(f"{_PATH}/top")
    assert response.status_code == 409
    assert "is not running" in response.json()["message"]


async def test_once(world: AppWorld) -> None:
    """One look is Docker's object, with the look before it, from which a rate is told."""
    await _run(world)
    _measure(world)
    shown: dict[str, Any] = (await world.get(f"{_PATH}/stats", stream="0")).json()
    assert (shown["name"], shown["id"]) == ("a/plugin:latest", plugin_id("a"))
    assert (shown["preread"], shown["read"]) == (
        "1970-01-01T00:00:01.000000000Z",
        "1970-01-01T00:00:02.000000000Z",
    )
    assert shown["cpu_stats"]["cpu_usage"]["total_usage"] == 10**9
    assert shown["precpu_stats"]["system_cpu_usage"] == 2 * 10**9
    assert shown["memory_stats"] == {"usage": 7, "limit": 70, "stats": {"cache": 1}}
    assert shown["pids_stats"] == {"current": 3}
    entry = {"major": 8, "minor": 0, "op": "read", "value": 9}
    assert shown["blkio_stats"]["io_service_bytes_recursive"] == [entry]


async def test_one_shot(world: AppWorld) -> None:
    """A single measurement tells no rate."""
    await _run(world)
    _measure(world)
    query = {"stream": "0", "one-shot": "1"}
    shown = (await world.get(f"{_PATH}/stats", **query)).json()
    assert shown["preread"].startswith("0001")
    assert "system_cpu_usage" not in shown["precpu_stats"]


async def test_stopped(world: AppWorld) -> None:
    """Of a plugin that does not run nothing but the name is told, as Docker does it."""
    _measure(world)
    shown = (await world.get(f"{_PATH}/stats", stream="0")).json()
    assert (shown["name"], shown["pids_stats"]) == ("a/plugin:latest", {})
    assert shown["read"].startswith("0001")


async def test_all(world: AppWorld) -> None:
    """All enabled plugins are measured together, until the gateway stops."""
    await _run(world)
    _measure(world)
    look = world.look

    def third(
        command: MeasureContainers, answer: Any = world.sender.answers[MeasureContainers]
    ) -> Any:
        figures = answer(command)
        if figures.figures[0].read_at_ns == 3 * 10**9:
            look.close()
        return figures

    world.sender.answers[MeasureContainers] = third
    response = await world.get("/wherry/v1/stats")
    looks = [json.loads(line) for line in response.text.splitlines()]
    assert [[one["name"] for one in each] for each in looks] == [["a/plugin:latest"]] * 3
