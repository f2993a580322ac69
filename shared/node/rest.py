"""A service that comes to rest gives memory back that it no longer uses."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

#: How often it is looked whether the process is busy; a look costs next to nothing.
_LOOK_EVERY_S = 3.0
#: CPU between two looks, in seconds: who used more is busy.
_BUSY_S = 0.15


@dataclass(slots=True, kw_only=True)
class Rest:
    """Tells when a process that was busy is so no more."""

    #: CPU that the process has used, in seconds.
    used_s: Callable[[], float]
    _used_before_s: float = 0.0
    _was_busy: bool = False

    def has_begun(self) -> bool:
        """Tell whether the process was busy before the last look, and not since."""
        used_s = self.used_s()
        is_busy = used_s - self._used_before_s > _BUSY_S
        has_begun = self._was_busy and not is_busy
        self._used_before_s, self._was_busy = used_s, is_busy
        return has_begun


async def give_back_at_rest() -> None:
    """Give memory back each time the process comes to rest, until cancelled."""
    rest = Rest(used_s=time.process_time)
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        if rest.has_begun():
            give_back()


def give_back() -> None:
    """Return what is free to the kernel.

    The allocator of C keeps freed memory of each thread between what is in use, for ever.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
