"""What the gateway needs of the world, in its own words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.gateway.domain.host import Versions
from shared.access import Token
from shared.bus.ports import Publisher, Sender
from shared.contracts.job import JobEnded, JobProgress, Sealed
from shared.contracts.message import Message, StreamRequest
from shared.oci.digest import Digest
from shared.telemetry.kept import KeptSpan

__all__ = [
    "Changes",
    "JobFollower",
    "LeftOut",
    "Lost",
    "Machine",
    "Programs",
    "Publisher",
    "Sender",
    "Spool",
    "Stream",
    "Streams",
    "Tokens",
    "Told",
    "Traces",
    "Vault",
]


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

    def left(self) -> tuple[Path, ...]:
        """Return the files that are there; before the first request, of an earlier gateway."""
        ...

    def delete(self, path: Path) -> None:
        """Delete a file; none is success."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something a job told, and the position behind which a reader goes on."""

    position: str
    message: JobProgress | JobEnded


class JobFollower(Protocol):
    """What jobs tell while they are under way."""

    def follow(self, job_id: str, after: str = "") -> AsyncGenerator[Told, None]:
        """Yield what a job told behind a position and what it tells, JobEnded last.

        Without a position from its start. What was told long ago may be lost, and so may be the
        end. Raises Unavailable when all of it was lost just now.
        """
        ...


class Stream(Protocol):
    """Bytes both ways; each half ends on its own."""

    async def read(self, most: int = ...) -> bytes:
        """Return what has come, at least a byte; nothing once the peer sends no more."""
        ...

    async def read_line(self) -> bytes:
        """Return a line with its newline, or what there was before the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the peer is slow; raises ConnectionError once it is gone."""
        ...

    def end(self) -> None:
        """Send no more; a peer that is gone is fine."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


class OpenBlob(Protocol):
    """A blob that stays readable whatever becomes of it."""

    size: int

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield its bytes in big pieces."""
        ...

    async def whole(self) -> bytes:
        """Return a small one."""
        ...


class Content(Protocol):
    """The content store, read only: the store alone writes it."""

    def open(
        self, digests: tuple[Digest, ...]
    ) -> AbstractContextManager[Mapping[Digest, OpenBlob]]:
        """Hold blobs open; raises NotFound for one that is missing."""
        ...


class ArchiveSpool(Protocol):
    """Archives that clients brought, until jobs have them."""

    async def keep(self, archive_id: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep an archive under an id; raises as Spool does."""
        ...

    def give(self, archive_id: str, job_id: str) -> bool:
        """Give a job an archive, which is its own from then on; tell whether it had none yet.

        Raises NotFound.
        """
        ...

    def take_back(self, job_id: str) -> None:
        """Take an archive from a job that did not begin."""
        ...

    def delete(self, archive_id: str) -> None:
        """Delete an archive; jobs that have it keep it. None is success."""
        ...


class Streams(Protocol):
    """Opens streams at the executor."""

    async def open(self, request: StreamRequest) -> Stream:
        """Open a stream; raises what the executor answers, Unavailable without one."""
        ...


class Vault(Protocol):
    """Seals secrets to the node's pull service, and opens those it sends back."""

    @property
    def answer_key(self) -> str:
        """Return the public key to seal answers to, in base64."""
        ...

    def seal(self, secret: bytes, subject: str) -> Sealed:
        """Seal for the pull service and one purpose; raises Unavailable without its key."""
        ...

    def seal_to(self, key: str, secret: bytes, subject: str) -> Sealed:
        """Seal to another node's public key, base64; raises InvalidArgument for what is none."""
        ...

    def seal_secret(self, secret: bytes, subject: str) -> Sealed:
        """Seal for the executor and one purpose; raises Unavailable without its key."""
        ...

    def open(self, sealed: Sealed, subject: str) -> bytes:
        """Open an answer; raises InvalidArgument when it is not for us or that purpose."""
        ...


class Programs(Protocol):
    """The programs that the node runs, asked once."""

    @property
    def found(self) -> dict[str, Versions]:
        """Return what is known so far, by name, in the order to show."""
        ...

    @property
    def are_known(self) -> bool:
        """Return whether all have been asked."""
        ...

    async def known(self) -> dict[str, Versions]:
        """Return what they tell, asking them first where nobody did; one may stay unknown."""
        ...


class Traces(Protocol):
    """The recent traces of the node."""

    async def roots(self) -> tuple[KeptSpan, ...]:
        """Return the first span of each trace."""
        ...

    async def about(self, trace_id: str) -> tuple[KeptSpan, ...]:
        """Return the spans of traces whose ids begin so, and those that they led to."""
        ...


class Machine(Protocol):
    """What changes on the machine while the gateway runs."""

    def open_files(self) -> int:
        """Return how many descriptors this process holds."""
        ...

    def forwards_ipv4(self) -> bool:
        """Say whether the kernel forwards IPv4."""
        ...


class LeftOut(Protocol):
    """Authorization plugins that were disabled while in force; survives a crash of the gateway."""

    def has(self, name: str) -> bool:
        """Tell whether the plugin is left out."""
        ...

    def add(self, name: str) -> None:
        """Leave it out from now on."""
        ...

    def drop(self, name: str) -> None:
        """Take it in again; safe to repeat."""
        ...


class Tokens(Protocol):
    """The tokens that let clients in."""

    @property
    def are_asked_for(self) -> bool:
        """Tell whether nobody is let in over TCP who shows neither a token nor a certificate."""
        ...

    def find(self, shown: str) -> Token | None:
        """Return the token that was shown; None for one that is not, or no more, of the node."""
        ...
