"""Looks into running containers: their processes, and what they use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.executor.domain import process_table
from services.executor.ports import Host
from services.executor.service.watch import Held, Watch
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.executor import (
    ContainerFigures,
    FiguresList,
    ListProcesses,
    MeasureContainers,
    ProcessTable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Answers what is going on; changes nothing, so that every repeat is safe."""

    host: Host
    watch: Watch

    async def list_processes(self, command: ListProcesses, _: Delivery) -> ProcessTable:
        """List a container's processes, with ps of the host: a container may have none."""
        process_table.check_args(command.ps_args)
        held = self._running(command.container_id)
        pids = [process.pid for process in self.host.cgroups.processes(held.container_id)]
        only = "-q" + ",".join(map(str, pids))
        args = command.ps_args.split()
        try:
            output = await self.host.ps.list([*args, only])
        except errdefs.InvalidArgument:
            # Some arguments, such as -e with another selection, do not go with it.
            output = await self.host.ps.list(args)
        return process_table.parse(output, pids)

    async def measure(self, command: MeasureContainers, _: Delivery) -> FiguresList:
        """Measure the containers that run."""
        here = {held.container_id for held in self.watch.all() if held.record.exit is None}
        wanted = [each for each in command.container_ids if each in here]
        return FiguresList(figures=tuple(await asyncio.to_thread(self._measure, wanted)))

    def _measure(self, container_ids: list[str]) -> list[ContainerFigures]:
        now_ns = self.host.clock.now_ns()
        return [self.host.cgroups.figures(each, now_ns) for each in container_ids]

    def _running(self, container_id: str) -> Held:
        held = self.watch.named(container_id)
        if held.record.exit is not None:
            raise errdefs.Conflict(
                f"container {container_id} is not running", detail={"container_id": container_id}
            )
        return held
