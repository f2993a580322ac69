"""ports.Ps: procps' `ps`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from shared import errdefs

_LIMIT_S = 10.0


class ProcpsPs:
    """Runs `ps` as it is found on PATH."""

    async def list(self, args: Sequence[str]) -> str:
        """Return its output; raises InvalidArgument with its complaint."""
        try:
            process = await asyncio.create_subprocess_exec(
                "ps",
                *args,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise errdefs.Unavailable(
                "program ps was not found on PATH; install the package procps"
            ) from error
        try:
            async with asyncio.timeout(_LIMIT_S):
                output, complaint = await process.communicate()
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise errdefs.DeadlineExceeded(f"ps did not end within {_LIMIT_S:g} s") from error
        if process.returncode:
            raise errdefs.InvalidArgument(
                f"ps {' '.join(args)}: {complaint.decode(errors='replace').strip()}"
            )
        return output.decode(errors="replace")
