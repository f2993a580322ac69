"""What the pull service needs of the world, in its own words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from services.pull.domain.privilege_policy import PrivilegePolicy
from services.pull.domain.trust_policy import TrustPolicy
from shared.contracts.message import Message
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, Reader
from shared.oci.reference import Reference
from shared.oci.unpack import Unpacked

#: Docker's AuthConfig as a client sent it; empty: anonymous.
Auth = Mapping[str, Any]
#: Headers for the registry: `X-Meta-…`.
MetaHeaders = Mapping[str, tuple[str, ...]]


class SmallBlob(Protocol):
    """A manifest or a config: its exact bytes, and what they are."""

    @property
    def descriptor(self) -> Descriptor:
        """Return digest, size and media type of the bytes."""
        ...

    @property
    def body(self) -> bytes:
        """Return the bytes."""
        ...


class BlobContent(Protocol):
    """What is uploaded; it can be read again, from anywhere."""

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from *start* up to *end*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a registry answered to a login."""

    status: str
    identity_token: str = ""


class Repository(Protocol):
    """One repository at a registry, for one operation with one person's credentials."""

    async def resolve(self) -> Descriptor:
        """Return what the reference stands for now; raises what says why not, for a person."""
        ...

    async def manifest(self, digest: Digest) -> SmallBlob:
        """Fetch a manifest, its digest checked."""
        ...

    def blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield a blob's bytes in big pieces, going on where a connection broke.

        Whether they have the digest is for the reader to check.
        """
        ...

    async def upload(self, blob: Descriptor, content: BlobContent, *, mount_from: str = "") -> str:
        """See to it that the repository holds a blob; *mount_from* is a path that may have it.

        Returns how it came there: existed, mounted or uploaded.
        """
        ...

    async def put_manifest(self, body: bytes, media_type: str) -> Digest:
        """Store a manifest, byte for byte, under the reference's tag."""
        ...

    async def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Return what refers to a manifest: signatures, SBOMs; none is no error."""
        ...


class Registries(Protocol):
    """All registries there are."""

    def repository(
        self, ref: Reference, *, auth: Auth, meta_headers: MetaHeaders, push: bool = False
    ) -> Repository:
        """Return the repository that *ref* names, without asking it anything yet."""
        ...

    async def log_in(self, server_address: str, auth: Auth) -> Login:
        """Check credentials; raises Unauthenticated in the registry's words."""
        ...


class Archives(Protocol):
    """Archives of OCI image layouts that somebody brought, in the place of registries."""

    def given(self, job_id: str, digest: Digest) -> AbstractAsyncContextManager[Registries]:
        """Open the archive of a job, of which the plugin is the entry with this digest.

        Raises NotFound when it is gone, InvalidArgument for what is none.
        """
        ...

    def brought(
        self, archive_id: str
    ) -> AbstractAsyncContextManager[tuple[tuple[Descriptor, Registries], ...]]:
        """Open an archive that no job has yet, with each of its entries as the plugin."""
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
        """Delete what an earlier attempt left, and make the folder; whole, even if cancelled."""
        ...

    async def discard(self) -> None:
        """Delete the folder of a job that is over; none is success."""
        ...

    async def abandon(self) -> None:
        """Delete what this attempt unpacked; none is success. Raises OSError."""
        ...

    def ingest(self, descriptor: Descriptor) -> AbstractAsyncContextManager[Ingest]:
        """Make a file for a blob; it is closed, and deleted where it is still the job's, after."""
        ...

    async def unpack(
        self, layer: LayerReader, progress: Callable[[int], None]
    ) -> tuple[Digest, Unpacked]:
        """Unpack a layer over those before it, and close it.

        *progress* hears, in a thread, how many bytes were read. Cancelled, it ends the thread
        before it returns. Raises InvalidArgument for a broken layer, ResourceExhausted when the
        disk is full.
        """
        ...

    async def stage(self) -> None:
        """Put what was unpacked where the store looks for it.

        Raises Conflict when another attempt has cleared it away.
        """
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

    def stream(self, digest: Digest, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield a blob's bytes from *start* up to *end* in big pieces; raises NotFound."""
        ...


class Workplaces(Protocol):
    """Makes the folders of jobs."""

    def of(self, job_id: str, token: int) -> Workplace:
        """Return the folder of one attempt at a job."""
        ...


class TrustPolicies(Protocol):
    """What the operator says of signatures."""

    def current(self) -> TrustPolicy:
        """Return the policy as it is now; raises InvalidArgument saying what is wrong with it."""
        ...


class PrivilegePolicies(Protocol):
    """What the operator says of privileges."""

    def current(self) -> PrivilegePolicy:
        """Return the policy as it is now; raises InvalidArgument saying what is wrong with it."""
        ...


class ProgressWriter(Protocol):
    """Where a job's progress goes."""

    async def write(self, *messages: Message, final: bool = False) -> None:
        """Append messages, of which the last may be the final one; raises Unavailable."""
        ...


#: Opens the progress of a job.
OpenProgress = Callable[[str], ProgressWriter]
#: Seconds that only go forward.
Monotonic = Callable[[], float]
#: Nanoseconds since 1970.
Clock = Callable[[], int]


class JobQueue(Protocol):
    """The queue that this service's own workers take jobs from."""

    async def enqueue(self, job_id: str, *, is_patient: bool = False) -> None:
        """Have a worker take the job, a patient one after the others.

        Raises Unavailable when the queue does not answer.
        """
        ...
