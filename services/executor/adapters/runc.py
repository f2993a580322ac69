"""runc, through its CLI; its errors become errdefs here and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.executor.adapters.calls import of_runc
from services.executor.adapters.pipes import captured
from services.executor.ports import RuntimeStatus
from shared import errdefs, runc_ctl

#: What Status tells beyond the words of ours: on its way to being paused.
_PAUSING = "pausing"
#: How much of a health command's output is told.
_TOLD_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RuncRuntime:
    """ports.Runtime on one state root."""

    runc: runc_ctl.Runc

    async def start(self, container_id: str) -> None:
        """Run the program of a created container."""
        with _translated(container_id), of_runc("start", container_id):
            await self.runc.start(container_id)

    async def status(self, container_id: str) -> RuntimeStatus | None:
        """Return what the runtime holds for the id; None when nothing."""
        with _translated(container_id), of_runc("state", container_id):
            try:
                container = await self.runc.state(container_id)
            except runc_ctl.ContainerNotFound:
                return None
        status = container.status.value
        return RuntimeStatus.PAUSED if status == _PAUSING else RuntimeStatus(status)

    async def resume(self, container_id: str) -> None:
        """Let a paused container go on; one that is not paused, or ended, is success."""
        with (
            _translated(container_id),
            of_runc("resume", container_id),
            contextlib.suppress(runc_ctl.WrongState),
        ):
            await self.runc.resume(container_id)

    async def delete(self, container_id: str) -> None:
        """Kill what is left and delete the state; none there is success."""
        with _translated(container_id), of_runc("delete", container_id):
            try:
                await self.runc.delete(container_id)
            except runc_ctl.ContainerNotFound:
                return
            except runc_ctl.WrongState:
                # Only now by force: that waits a tenth of a second for every container it kills.
                await self.runc.delete(container_id, runc_ctl.DeleteOpts(force=True))

    async def exec(self, container_id: str, args: Sequence[str], *, timeout_s: float) -> str | None:
        """Run a command in the container; return None when it exits with 0, else what failed."""
        command = " ".join(args)
        with captured(_TOLD_BYTES) as output:
            stdio = runc_ctl.Stdio(stdout=output.write_end, stderr=output.write_end)
            try:
                async with asyncio.timeout(timeout_s):
                    opts = runc_ctl.ExecOpts(stdio=stdio)
                    code = await self.runc.exec(container_id, tuple(args), opts)
            except TimeoutError:
                failed = f"{command} did not end within {timeout_s:g} s"
            except runc_ctl.RuncError as error:
                return f"{command}: {error.message}"
            else:
                failed = f"{command} exited with code {code}" if code else ""
            output.read()  # what came with the end
        return f"{failed}: {output.text()}".removesuffix(": ") if failed else None


@contextlib.contextmanager
def _translated(container_id: str) -> Iterator[None]:
    try:
        yield
    except runc_ctl.ContainerNotFound as error:
        raise errdefs.NotFound(f"container {container_id}: {error}") from error
    except runc_ctl.WrongState as error:
        raise errdefs.Conflict(f"container {container_id}: {error}") from error
    except runc_ctl.RuncError as error:
        raise errdefs.Internal(f"container {container_id}: {error}") from error
