"""runc's `run`, under a conmon that only knows `create`."""

from __future__ import annotations

from typing import Final

from shared import runc_ctl

#: conmon says `create --bundle PATH …` behind these: `create` becomes the value of the first
#: `--bundle`, and for runc the last one holds.
_RUN: Final = ("run", "--detach", "--bundle")


class OneCall:
    """Knows whether the runtime takes a container from its bundle to its running program at once.

    Only runc is trusted with it: others may read their arguments differently.
    """

    def __init__(self, runc: runc_ctl.Runc) -> None:
        self._runc = runc
        self._is_runc: bool | None = None

    async def args(self) -> tuple[str, ...]:
        """Return what the runtime is told before conmon's own words; nothing has it only create.

        The runtime is asked for its name the first time.
        """
        if self._is_runc is None:
            self._is_runc = await self._ask()
        return _RUN if self._is_runc else ()

    async def _ask(self) -> bool | None:
        try:
            await self._runc.version()
        except runc_ctl.RuncError as error:
            # It answered, as another program does; or it could not, and is asked again.
            return False if error.returncode == 0 else None
        return True
