"""What the pull service needs of the world, in its own words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from shared.contracts.message import Message
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, Reader
from shared.oci.reference import Reference
from shared.oci.unpack import Unpacked

#: Docker's AuthConfig as a client sent it; empty: anonymous.
Auth = Mapping[str, Any]
#: Headers for the registry: `X-Meta-…`.
MetaHeaders = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestBlob:
    """A manifest as the registry sent it."""

    data: bytes
    media_type: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a registry answered to a login."""

    status: str
    identity_token: str = ""


class Repository(Protocol):
    """One repository at a registry, seen with one person's credentials."""

    async def resolve(self) -> Descriptor:
        """Return what the reference stands for now.

        Raises NotFound, or PermissionDenied in Docker's words.
        """
        ...

    async def manifest(self, digest: Digest) -> ManifestBlob:
        """Return a manifest whose bytes have *digest*."""
        ...

    def blob(self, descriptor: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield a blob's bytes in big pieces, resumed where a connection broke.

        Whether they are what the descriptor promises is for the reader to check.
        """
        ...

    async def has_blob(self, digest: Digest) -> bool:
        """Say whether the repository has the blob."""
        ...

    async def mount(self, digest: Digest, source: str) -> bool:
        """Have the registry take over a blob of its repository *source*; say whether it did."""
        ...

    async def upload(
        self,
        descriptor: Descriptor,
        read: Callable[[int], AsyncGenerator[bytes, None]],
        sent: Callable[[int], None],
    ) -> None:
        """Upload a blob; *read* yields its bytes from an offset, *sent* hears how many went."""
        ...

    async def put_manifest(self, manifest: ManifestBlob) -> None:
        """Put a manifest, byte for byte, under the reference."""
        ...


class Registries(Protocol):
    """All registries there are."""

    def repository(
        self, ref: Reference, *, auth: Auth, meta_headers: MetaHeaders, push: bool = False
    ) -> AbstractAsyncContextManager[Repository]:
        """Open the repository that *ref* names."""
        ...

    async def log_in(self, server_address: str, auth: Auth) -> Login:
        """Check credentials; raises Unauthenticated in the registry's words."""
        ...


class LayerReader(Reader, Protocol):
    """Bytes of a layer, for a thread."""

    def close(self) -> None:
        """Let go of the file."""
        ...


class Ingest(Protocol):
    """A blob on its way to the content store: a file of the job's, written once."""

    @property
    def name(self) -> str:
        """Return its name in the job's folder."""
        ...

    async def write(self, data: bytes) -> None:
        """Append; raises ResourceExhausted when the disk is full."""
        ...

    async def finish(self) -> None:
        """Say that all bytes are there, after verifying them; raises InvalidArgument."""
        ...

    def fail(self, error: BaseException) -> None:
        """Say that no more will come: whoever reads along gets an error."""
        ...

    def reader(self) -> LayerReader:
        """Return a reader, for a thread, that waits for what is not written yet."""
        ...


class Workplace(Protocol):
    """The job's own folder, which the store takes the plugin's files from, or deletes."""

    async def clear(self) -> None:
        """Delete what an earlier attempt left, and make the folder."""
        ...

    def ingest(self, descriptor: Descriptor) -> AbstractAsyncContextManager[Ingest]:
        """Make a file for a blob; it is closed, and deleted where it is still the job's, after."""
        ...

    async def unpack(
        self, layer: LayerReader, progress: Callable[[int], None]
    ) -> tuple[Digest, Unpacked]:
        """Unpack a layer over those before it, and close it.

        *progress* hears, in a thread, how many bytes were read. Cancelled, it ends the thread before it returns. Raises InvalidArgument for a broken
        layer, ResourceExhausted when the disk is full.
        """
        ...

    async def stage(self) -> None:
        """Put what was unpacked where the store looks for it."""
        ...


class Content(Protocol):
    """The content store, read only: the store alone writes it."""

    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob; None where it is missing."""
        ...

    def open(self, digest: Digest) -> LayerReader:
        """Open a blob; raises NotFound."""
        ...

    async def read(self, digest: Digest) -> bytes:
        """Return a small blob; raises NotFound."""
        ...

    def stream(self, digest: Digest, offset: int) -> AsyncGenerator[bytes, None]:
        """Yield a blob's bytes in big pieces from *offset*; raises NotFound."""
        ...


class Workplaces(Protocol):
    """Makes the folders of jobs."""

    def of(self, job_id: str, token: int) -> Workplace:
        """Return the folder of one attempt at a job."""
        ...


class ProgressWriter(Protocol):
    """Where a job's progress goes."""

    async def write(self, message: Message, *, final: bool = False) -> None:
        """Append a message; raises Unavailable."""
        ...


#: Opens the progress of a job.
OpenProgress = Callable[[str], ProgressWriter]
#: Seconds that only go forward.
Monotonic = Callable[[], float]
