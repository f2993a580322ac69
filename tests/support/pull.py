"""The pull service's ports, as far as tests need them to be something else than the real thing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.pull import ports
from services.pull.adapters.archive import DiskArchives
from services.pull.adapters.content import DiskContent
from services.pull.adapters.workplace import DiskWorkplaces
from services.pull.domain.privilege_policy import PrivilegePolicy, PrivilegeRule
from services.pull.domain.trust_policy import TrustPolicy
from services.pull.service.attempt import Attempt
from services.pull.service.flights import Flights
from services.pull.service.lines import Lines
from services.pull.service.pulling import Pulling
from services.pull.service.pushing import Pushing
from services.pull.service.resolving import Resolver
from services.pull.service.store import JobStore
from services.pull.service.trust import Trust
from shared import errdefs
from shared.contracts import job as contracts
from shared.contracts.job import JobEnded, JobKind, JobProgress, JobRequest, JobTaken
from shared.contracts.message import Done, Message
from shared.contracts.plugin import Plugin
from shared.contracts.store import Changed
from shared.oci.descriptor import Descriptor, Platform
from shared.oci.digest import Digest, digest_of
from shared.oci.reference import Reference
from tests.support.bus import FakeSender
from tests.support.plugin_image import FakeImage

REMOTE = "registry.test/a/p:1"
MACHINE = Platform(os="linux", architecture="amd64")
TOKEN = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSmallBlob:
    """A manifest as a registry sends it."""

    descriptor: Descriptor
    body: bytes


class FakeRegistries:
    """Registries in memory; what is asked of them is counted.

    *before_blob* is awaited before a blob is sent, and may raise; *piece* is how it is cut.
    """

    def __init__(self, *images: FakeImage) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.types: dict[Digest, str] = {}
        self.tags: dict[str, Descriptor] = {}
        self.asked: Counter[str] = Counter()
        self.opened: list[tuple[Reference, ports.Auth, ports.MetaHeaders, bool]] = []
        self.before_blob: Callable[[Digest], Any] | None = None
        self.piece = 1000
        self.in_flight = 0
        self.most_in_flight = 0
        self.uploaded: list[Digest] = []
        self.mountable: set[str] = set()
        self.referrers: dict[Digest, tuple[Descriptor, ...]] = {}
        self.login: ports.Login | errdefs.Error = ports.Login(status="Login Succeeded")
        for image in images:
            self.add(REMOTE, image)

    def add(self, remote: str, image: FakeImage) -> None:
        """Put an image under a reference."""
        self.blobs |= image.blobs
        self.types[image.digest] = image.media_type
        self.tags[remote] = image.descriptor

    def repository(
        self,
        ref: Reference,
        *,
        auth: ports.Auth,
        meta_headers: ports.MetaHeaders,
        push: bool = False,
    ) -> ports.Repository:
        """Open the repository."""
        self.opened.append((ref, auth, meta_headers, push))
        return FakeRepository(self, ref)

    async def log_in(self, server_address: str, auth: ports.Auth) -> ports.Login:
        """Answer as the test wants."""
        self.asked[f"login {server_address} {auth.get('username')}"] += 1
        if isinstance(self.login, errdefs.Error):
            raise self.login
        return self.login


class FakeRepository:
    """One repository of FakeRegistries."""

    def __init__(self, world: FakeRegistries, ref: Reference) -> None:
        self._world = world
        self._ref = ref

    async def resolve(self) -> Descriptor:
        """Return what the reference stands for."""
        self._world.asked["resolve"] += 1
        found = self._world.tags.get(str(self._ref))
        if found is None:
            raise errdefs.NotFound(f"error resolving plugin reference: {self._ref}: not found")
        return found

    async def manifest(self, digest: Digest) -> FakeSmallBlob:
        """Fetch a manifest."""
        self._world.asked["manifest"] += 1
        body = self._world.blobs[digest]
        descriptor = Descriptor(
            media_type=self._world.types.get(digest, ""), digest=digest, size=len(body)
        )
        return FakeSmallBlob(descriptor=descriptor, body=body)

    async def blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Send a blob in pieces."""
        world = self._world
        world.asked[f"blob {blob.digest}"] += 1
        world.in_flight += 1
        world.most_in_flight = max(world.most_in_flight, world.in_flight)
        try:
            if world.before_blob is not None:
                await world.before_blob(blob.digest)
            data = world.blobs[blob.digest]
            for start in range(0, len(data), world.piece):
                await asyncio.sleep(0)
                yield data[start : start + world.piece]
        finally:
            world.in_flight -= 1

    async def upload(
        self, blob: Descriptor, content: ports.BlobContent, *, mount_from: str = ""
    ) -> str:
        """Take a blob."""
        if blob.digest in self._world.blobs:
            return "existed"
        if mount_from in self._world.mountable:
            return "mounted"
        data = b"".join([piece async for piece in content.read(0, blob.size)])
        assert digest_of(data) == blob.digest
        self._world.blobs[blob.digest] = data
        self._world.uploaded.append(blob.digest)
        return "uploaded"

    async def put_manifest(self, body: bytes, media_type: str) -> Digest:
        """Take a manifest."""
        digest = digest_of(body)
        self._world.blobs[digest] = body
        self._world.tags[str(self._ref)] = Descriptor(
            media_type=media_type, digest=digest, size=len(body)
        )
        return digest

    async def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Return what refers to a manifest."""
        self._world.asked["referrers"] += 1
        return self._world.referrers.get(digest, ())


class FakeTrustPolicies:
    """A policy that the test sets; by default nothing need be signed."""

    def __init__(self) -> None:
        self.policy = TrustPolicy(source="/trust.json")
        self.error: errdefs.Error | None = None

    def current(self) -> TrustPolicy:
        """Return the policy."""
        if self.error is not None:
            raise self.error
        return self.policy


class FakePrivilegePolicies:
    """An operator's privilege policy, of the test's own; without *rules* there are no limits."""

    def __init__(self) -> None:
        self.rules: tuple[PrivilegeRule, ...] = ()
        self.error: errdefs.InvalidArgument | None = None

    def current(self) -> PrivilegePolicy:
        """Return the policy."""
        if self.error is not None:
            raise self.error
        return PrivilegePolicy(source="/privileges.json", rules=self.rules)


class FakeWriter:
    """Keeps a job's progress; *error*, when set, is raised instead."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.finals: list[Message] = []
        self.error: errdefs.Error | None = None

    async def write(self, *messages: Message, final: bool = False) -> None:
        """Keep messages."""
        if self.error is not None:
            raise self.error
        self.messages += messages[: len(messages) - final]
        self.finals += messages[len(messages) - final :]

    @property
    def said(self) -> list[tuple[str, str]]:
        """Return the lines as (id, status), those about movement left out."""
        lines = [message for message in self.messages if isinstance(message, JobProgress)]
        return [(line.id, line.status) for line in lines if line.current is None]

    @property
    def ended(self) -> JobEnded:
        """Return the one message that ended the progress."""
        (final,) = self.finals
        assert isinstance(final, JobEnded)
        return final


class FakeStore(FakeSender):
    """The store's side of jobs, on a real folder, as a sender that answers for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "content" / "blobs" / "sha256"
        self.work = root / "work"
        self.blobs.mkdir(parents=True)
        self.work.mkdir()
        self.request = request()
        self.plugin: Plugin | None = None
        self.is_cancelled = False
        self.attempt = 1
        self.kept: tuple[str, ...] = ()
        self.lease_s = 30.0
        self.committed: list[contracts.CommitPlugin] = []
        self.failed: list[errdefs.Error] = []
        #: Looks at what there is when a job is to be failed.
        self.before_fail: Callable[[], None] = lambda: None
        super().__init__(
            {
                contracts.TakeJob: lambda _: JobTaken(
                    token=TOKEN,
                    request=self.request,
                    attempt=self.attempt,
                    plugin=self.plugin,
                    kept=self.kept,
                ),
                contracts.RenewJob: lambda _: contracts.JobLease(
                    lease_s=self.lease_s, cancelled=self.is_cancelled
                ),
                contracts.KeepBlobs: self._keep,
                contracts.CommitBlob: self._commit_blob,
                contracts.CommitPlugin: self._commit_plugin,
                contracts.FailJob: self._fail,
                contracts.FinishPush: Done(),
            }
        )

    def have(self, *blobs: bytes) -> None:
        """Put blobs into the content store."""
        for blob in blobs:
            (self.blobs / digest_of(blob).hex).write_bytes(blob)

    def _keep(self, command: contracts.KeepBlobs) -> Message:
        known = [one for one in command.digests if (self.blobs / Digest(one).hex).exists()]
        return contracts.KnownBlobs(digests=tuple(known))

    def _commit_blob(self, command: contracts.CommitBlob) -> Message:
        self._make_blobs(command.job_id, command.blob, *command.others)
        return Done()

    def _make_blobs(self, job_id: str, *blobs: contracts.StagedBlob) -> None:
        for blob in blobs:
            staged = self.work / job_id / (blob.ingest or "")
            data = staged.read_bytes()
            assert (digest_of(data), len(data)) == (blob.digest, blob.size)
            staged.rename(self.blobs / Digest(blob.digest).hex)

    def _commit_plugin(self, command: contracts.CommitPlugin) -> Message:
        assert (self.work / command.job_id / "rootfs").is_dir()
        self._make_blobs(command.job_id, *command.blobs)
        self.committed.append(command)
        return Changed(epoch="e", revision=3)

    def _fail(self, command: contracts.FailJob) -> Message:
        self.before_fail()
        self.failed.append(errdefs.from_wire(command.error))
        return Done()


def request(kind: JobKind = JobKind.PULL, **changes: Any) -> JobRequest:
    """Return what a person asked for."""
    return JobRequest(**{"kind": kind, "name": "p:1", "remote": REMOTE, **changes})


@dataclass(kw_only=True)
class World:
    """Pull and push on a real folder, with a registry and a store of the test's own."""

    root: Path
    registries: FakeRegistries
    layers_at_once: int = 3
    writer: FakeWriter = field(default_factory=FakeWriter)
    flights: Flights = field(default_factory=Flights)
    policies: FakeTrustPolicies = field(default_factory=FakeTrustPolicies)
    privilege_policies: FakePrivilegePolicies = field(default_factory=FakePrivilegePolicies)

    def __post_init__(self) -> None:
        self.store = FakeStore(self.root)
        self.content = DiskContent(self.root / "content")
        self.workplaces = DiskWorkplaces(self.root / "work", jobs=4)
        self.resolver = Resolver(machine=MACHINE)

    @property
    def pulling(self) -> Pulling:
        """Return the service that pulls."""
        return Pulling(
            registries=self.registries,
            archives=DiskArchives(self.root),
            content=self.content,
            resolver=self.resolver,
            trust=Trust(policies=self.policies, registries=self.registries, clock=lambda: 1),
            policies=self.privilege_policies,
            flights=self.flights,
            layers_at_once=self.layers_at_once,
        )

    @property
    def pushing(self) -> Pushing:
        """Return the service that pushes."""
        return Pushing(registries=self.registries, content=self.content, blobs_at_once=2)

    async def pull(
        self, job_id: str = "job-1", installed: Plugin | None = None, **changes: Any
    ) -> Changed:
        """Do a pull, or an upgrade of *installed*, as the runner does it."""
        kind = JobKind.PULL if installed is None else JobKind.UPGRADE
        async with Lines(self.writer) as said:
            attempt = self._attempt(job_id, said, request(kind, **changes), installed)
            return await self.pulling.run(attempt)

    async def prefetch(self, job_id: str = "job-0") -> None:
        """Do a prefetch as the runner does it."""
        asked = request(JobKind.PREFETCH, batch_id="b")
        async with Lines(self.writer) as said:
            await self.pulling.prefetch(self._attempt(job_id, said, asked))

    async def push(self, plugin: Plugin | None, **changes: Any) -> None:
        """Do a push as the runner does it."""
        asked = request(JobKind.PUSH, **changes)
        async with Lines(self.writer) as said:
            await self.pushing.run(self._attempt("job-1", said, asked, plugin))

    def rootfs(self, job_id: str = "job-1") -> dict[str, bytes]:
        """Return the files that were staged for the store."""
        top = self.root / "work" / job_id / "rootfs"
        return {
            str(path.relative_to(top)): path.read_bytes()
            for path in sorted(top.rglob("*"))
            if path.is_file()
        }

    def ingests(self) -> list[Path]:
        """Return files of downloads that are not blobs."""
        return list((self.root / "work").glob("*/ingest-*"))

    def _attempt(
        self, job_id: str, said: Lines, asked: JobRequest, plugin: Plugin | None = None
    ) -> Attempt:
        return Attempt(
            taken=JobTaken(
                token=TOKEN,
                request=asked,
                attempt=self.store.attempt,
                plugin=plugin,
                kept=self.store.kept,
            ),
            store=JobStore(sender=self.store, job_id=job_id, token=TOKEN),
            workplace=self.workplaces.of(job_id, TOKEN),
            lines=said,
            auth={},
        )
