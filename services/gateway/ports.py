"""What the gateway needs of the world, in its own words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.gateway.domain.host import Versions
from shared.bus.ports import Sender
from shared.contracts.message import Message

__all__ = ["Changes", "Lost", "Machine", "Programs", "Sender", "Spool"]


@dataclass(frozen=True, slots=True)
class Lost:
    """In place of messages: some may have been lost here, so ask for what is true now."""


class Changes(Protocol):
    """What a service publishes, from the moment of the first reading on, without an end."""

    def tail(self) -> AsyncIterator[Message | Lost]:
        """Yield each message, and Lost where some may be missing."""
        ...


class Spool(Protocol):
    """Keeps bodies of requests in files until the store has taken them in."""

    def receive(self, chunks: AsyncIterator[bytes]) -> AbstractAsyncContextManager[Path]:
        """Write the chunks to a file and give its path; the file is gone afterwards.

        Raises InvalidArgument when it grows beyond the limit and ResourceExhausted when the
        disk is full.
        """
        ...


class Programs(Protocol):
    """The programs that the node runs, asked once."""

    @property
    def found(self) -> dict[str, Versions]:
        """Return what is known so far, by name, in the order to show."""
        ...


class Machine(Protocol):
    """What changes on the machine while the gateway runs."""

    def open_files(self) -> int:
        """Return how many descriptors this process holds."""
        ...

    def forwards_ipv4(self) -> bool:
        """Say whether the kernel forwards IPv4."""
        ...
