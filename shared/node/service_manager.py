"""What a process tells systemd, or another manager that speaks its protocol, of how it is."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

log = structlog.get_logger()

#: Notices within each watchdog interval: one may come late.
_NOTICES = 3


def notify(address: str, state: str) -> None:
    """Send a state, as sd_notify(3) has it, to NOTIFY_SOCKET's *address*; to none, nothing."""
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
        client.sendto(state.encode(), re.sub("^@", "\0", address))


def watchdog_s(env: Mapping[str, str], pid: int) -> float | None:
    """Return within how many seconds this process must show that it lives; None: it need not."""
    interval_us = env.get("WATCHDOG_USEC", "")
    if not interval_us.isdecimal() or env.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(interval_us) / 1e6


@asynccontextmanager
async def told_by_loop(env: Mapping[str, str], pid: int) -> AsyncIterator[Callable[[], None]]:
    """Tell the manager, if there is one, that the event loop turns, while the block runs.

    Gives what tells it that the process is ready. A loop that hangs is silent, and the manager
    ends the process.
    """
    address = env.get("NOTIFY_SOCKET", "")
    interval_s = watchdog_s(env, pid)
    living = None
    if address and interval_s is not None:
        living = asyncio.create_task(_live(address, interval_s / _NOTICES))
    try:
        yield lambda: _tell(address, "READY=1")
    finally:
        if living is not None:
            living.cancel()
            await asyncio.wait([living])


async def _live(address: str, pause_s: float) -> None:
    while True:
        _tell(address, "WATCHDOG=1")
        await asyncio.sleep(pause_s)


def _tell(address: str, state: str) -> None:
    try:
        notify(address, state)
    except OSError as error:
        log.warning("service manager not told", state=state, reason=str(error))
