"""One repository as one operation sees it: the same questions, asked of its endpoints in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from services.pull.adapters.registry import blobs, manifests, pages, referrers, uploads
from services.pull.adapters.registry.endpoints import Endpoint, may_go_on
from services.pull.adapters.registry.manifests import (
    ACCEPT_LIST,
    ACCEPT_SINGLY,
    FetchedManifest,
    Headers,
)
from services.pull.adapters.registry.session import Session
from services.pull.adapters.registry.upload import Content
from services.pull.adapters.registry.uploads import Outcome
from shared import errdefs
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of
from shared.oci.reference import Reference

T = TypeVar("T")


class Repository:
    """The repository of *reference*, for one operation with its login and its X-Meta headers.

    Every question goes to the endpoint that answered last, then to the others in order.
    """

    def __init__(self, reference: Reference, sessions: Sequence[Session]) -> None:
        self.reference = reference.with_default_tag()
        self._path = reference.path
        self._sessions = list(sessions)
        self._accept: Headers = ACCEPT_LIST

    @property
    def _target(self) -> str:
        """Return what is fetched: with a tag and a digest, the digest."""
        return self.reference.digest or self.reference.tag

    async def resolve(self) -> Descriptor:
        """Return what the reference stands for now; asks by HEAD.

        Raises NotFound, Unauthenticated and the like, in Docker's words for a plugin that can't
        be resolved.
        """
        try:
            return await self._resolved()
        except errdefs.NotFound as error:
            text = error.message if error.detail.get("limit") else self._not_found(error)
            raise self._unresolved(error, text) from error
        except errdefs.Error as error:
            raise self._unresolved(error, error.message) from error

    async def manifest(self, digest: Digest | None = None) -> FetchedManifest:
        """Fetch the manifest the reference stands for, or the one with *digest*; checked.

        Raises NotFound, and InvalidArgument for content that is not what was promised.
        """
        target = digest or self._target
        return await self._across(
            lambda session: manifests.get(session, self._path, target, accept=self._accept)
        )

    async def blob(self, blob: Descriptor, *, offset: int = 0) -> AsyncGenerator[bytes, None]:
        """Yield a blob from *offset* on, in big pieces, up to its size; its digest is unchecked.

        It mends itself where it breaks. Close it (``contextlib.aclosing``) where it may not be
        read to its end. Raises NotFound, InvalidArgument for another size, Unavailable.
        """
        position, sessions = offset, self._sessions
        for session in sessions:
            try:
                async with aclosing(
                    blobs.read(session, self._path, blob, offset=position)
                ) as pieces:
                    async for piece in pieces:
                        self._prefer(session)
                        position += len(piece)
                        yield piece
                return
            except errdefs.Error as error:
                if session is sessions[-1] or not may_go_on(error, session.endpoint):
                    raise

    async def has_blob(self, digest: Digest) -> bool:
        """Say whether the repository holds a blob."""
        return await self._across(lambda session: blobs.exists(session, self._path, digest))

    async def upload(self, blob: Descriptor, content: Content, *, mount_from: str = "") -> Outcome:
        """See to it that the repository holds a blob; *mount_from* is a path that may have it.

        Safe to repeat. Raises InvalidArgument where the registry finds another digest.
        """
        return await self._across(
            lambda session: uploads.upload(
                session, self._path, blob, content, mount_from=mount_from
            )
        )

    async def put_manifest(
        self, body: bytes, media_type: str, *, by_digest: bool = False
    ) -> Digest:
        """Store a manifest byte for byte under the reference's tag, or its own digest.

        Safe to repeat. Raises InvalidArgument where the registry refuses or alters it.
        """
        target = digest_of(body) if by_digest else self.reference.tag
        return await self._across(
            lambda session: manifests.put(session, self._path, target, body, media_type)
        )

    async def referrers(self, digest: Digest, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """Return what refers to *digest*: signatures, SBOMs; of one type if asked so.

        A mirror that knows of none proves nothing: many keep no referrers at all.
        """

        async def ask(session: Session) -> tuple[Descriptor, ...]:
            found = await referrers.referrers(session, self._path, digest, artifact_type)
            if session.endpoint.is_mirror and not found:
                raise errdefs.NotFound(f"mirror {session.host} has no referrers of {digest}")
            return found

        return await self._across(ask)

    async def tags(self) -> list[str]:
        """Return the repository's tags."""
        return await self._across(lambda session: pages.tags(session, self._path))

    async def _resolved(self) -> Descriptor:
        try:
            return await self._head()
        except (errdefs.NotFound, errdefs.InvalidArgument):
            # Old registries read only the first type of a list: ask again with a header a type.
            self._accept = ACCEPT_SINGLY
            return await self._head()

    async def _head(self) -> Descriptor:
        return await self._across(
            lambda session: manifests.head(session, self._path, self._target, accept=self._accept)
        )

    async def _across(self, ask: Callable[[Session], Awaitable[T]]) -> T:
        """Ask the endpoints in order; raise what tells most where none has the answer."""
        failures: list[tuple[Endpoint, errdefs.Error]] = []
        for session in self._sessions:
            try:
                answer = await ask(session)
            except errdefs.Error as error:
                failures.append((session.endpoint, error))
                if not may_go_on(error, session.endpoint):
                    break
            else:
                self._prefer(session)
                return answer
        raise _told(failures)

    def _prefer(self, session: Session) -> None:
        if session is not self._sessions[0]:
            others = [other for other in self._sessions if other is not session]
            self._sessions = [session, *others]

    def _not_found(self, error: errdefs.Error) -> str:
        """Say so in Docker's words; and that mirrors alone were there to say so, if it is so."""
        unreached = error.detail.get("unreached")
        beside = f": so say its mirrors; {unreached}" if unreached else ""
        return f"{self.reference}: not found{beside}"

    def _unresolved(self, error: errdefs.Error, text: str) -> errdefs.Error:
        return type(error)(
            f"error resolving plugin reference: {text}",
            detail=error.detail,
            docker_unclassed=error.docker_unclassed,
        )


def _told(failures: list[tuple[Endpoint, errdefs.Error]]) -> errdefs.Error:
    """Return what tells most; where only mirrors answered, with why the registry did not."""
    told = _most_telling([error for _, error in failures])
    if any(endpoint.is_mirror for endpoint, _ in failures):
        for endpoint, error in failures:
            if not endpoint.is_mirror and error is not told and error.detail.get("is_unreached"):
                told.detail["unreached"] = error.message
    return told


def _most_telling(failures: list[errdefs.Error]) -> errdefs.Error:
    """Return the last answer of a registry, else the last fault of one that was reached.

    The last is the registry itself, after its mirrors. Where nobody was reached, the first try
    tells most: what follows it is plain HTTP.
    """
    answers = [error for error in failures if "status" in error.detail]
    reached = [error for error in failures if not error.detail.get("is_unreached")]
    return [*failures[:1], *reached[-1:], *answers[-1:]][-1]
