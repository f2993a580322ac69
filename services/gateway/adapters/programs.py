"""The versions of the programs that the node runs, asked of the programs themselves."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from typing import Final

import structlog

from services.gateway.domain.host import Versions

_LIMIT_S: Final = 5.0
_VERSION = re.compile(r"\bversion (\S+)|\bv=(\S+)")
_COMMIT = re.compile(r"^commit: (?!unknown$)(\S+)", re.MULTILINE)

log = structlog.get_logger()


class InstalledPrograms:
    """ports.Programs, asked when somebody wants to know, or a moment after the start."""

    def __init__(self, programs: Sequence[tuple[str, str]]) -> None:
        """Take the name to show and the program, in the order to show."""
        self._programs = programs
        self._found: dict[str, Versions] = {}
        self._asking = asyncio.Lock()
        #: Whether all have been asked.
        self.are_known = False

    @property
    def found(self) -> dict[str, Versions]:
        """Return what is known so far, in the order to show."""
        return {name: self._found[name] for name, _ in self._programs if name in self._found}

    async def known(self) -> dict[str, Versions]:
        """Return what they tell, in the order to show; who comes first asks for all."""
        async with self._asking:
            if not self.are_known:
                await self._ask_all()
                self.are_known = True
        return self.found

    async def _ask_all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, program in self._programs:
                tasks.create_task(self._ask(name, program))

    async def _ask(self, name: str, program: str) -> None:
        try:
            text = await _output(program, "--version")
        except (OSError, TimeoutError) as error:
            log.warning("version unknown", program=program, error=str(error) or "no answer")
            return
        found = _VERSION.search(text)
        if found is not None:
            commit = _COMMIT.search(text)
            self._found[name] = Versions(
                version=found[1] or found[2], commit=commit[1] if commit else ""
            )


async def _output(*argv: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_LIMIT_S):
            stdout, _ = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return stdout.decode(errors="replace")
