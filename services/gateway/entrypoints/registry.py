"""Docker's routes that end at a registry: privileges, pull, push, upgrade, login."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from services.gateway.domain import job_identity, json_body, progress_line
from services.gateway.domain.auth_config import AuthConfig
from services.gateway.entrypoints.admission import give_place_back
from services.gateway.entrypoints.http import (
    ClientGoneError,
    Request,
    Response,
    Stream,
    json_response,
)
from services.gateway.entrypoints.router import Route
from services.gateway.service.job_watch import End, JobWatch, Step
from services.gateway.service.jobs import Jobs
from services.gateway.service.registries import Registries
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.job import JobKind, JobRequest
from shared.oci import reference

_Told = AsyncGenerator[Step | End, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRoutes:
    """Questions to the pull service, and jobs whose progress is the answer."""

    replica: Replica
    registries: Registries
    jobs: Jobs
    watch: JobWatch

    def routes(self) -> tuple[Route, ...]:
        """Return the table."""
        return (
            Route(method="GET", template="/plugins/privileges", handler=self.privileges),
            Route(method="POST", template="/plugins/pull", handler=self.pull),
            Route(method="POST", template="/plugins/{name}/push", handler=self.push),
            Route(method="POST", template="/plugins/{name}/upgrade", handler=self.upgrade),
            Route(method="POST", template="/auth", handler=self.log_in),
        )

    async def privileges(self, request: Request) -> Response:
        """Tell what a plugin needs; null when that is nothing."""
        needed = await self.registries.privileges(
            request.form("remote"), _auth(request), request.meta_headers
        )
        return json_response(needed or None)

    async def pull(self, request: Request) -> Response | Stream:
        """Pull a plugin, granting it what the body says."""
        granted = await _granted(request)
        ref, name = reference.local_name(request.form("remote"), request.form("name"))
        wish = JobRequest(
            kind=JobKind.PULL,
            name=name,
            remote=str(ref),
            privileges=granted,
            meta_headers=request.meta_headers,
        )
        try:
            return await self._run(request, wish)
        except errdefs.AlreadyExists as error:
            # What create answers 409, dockerd calls an invalid parameter of a pull.
            raise errdefs.InvalidArgument(error.message, detail=error.detail) from error

    async def push(self, request: Request) -> Response | Stream:
        """Push a plugin to where its name says."""
        name = (await self.replica.ready()).resolve(request.name).plugin.name
        wish = JobRequest(
            kind=JobKind.PUSH,
            name=name,
            remote=str(reference.parse(name)),
            meta_headers=request.meta_headers,
        )
        return await self._run(request, wish)

    async def upgrade(self, request: Request) -> Response | Stream:
        """Upgrade a plugin, granting it what the body says."""
        granted = await _granted(request)
        ref = reference.parse_remote(request.form("remote"))
        wish = JobRequest(
            kind=JobKind.UPGRADE,
            name=(await self.replica.ready()).resolve(request.name).plugin.name,
            remote=str(ref),
            privileges=granted,
            meta_headers=request.meta_headers,
        )
        return await self._run(request, wish)

    async def log_in(self, request: Request) -> Response:
        """Check a login at its registry."""
        answer = await self.registries.log_in(AuthConfig.from_body(await request.body()))
        return json_response({"IdentityToken": answer.identity_token, "Status": answer.status})

    async def _run(self, request: Request, wish: JobRequest) -> Response | Stream:
        """Begin a job and stream what it tells; one that fails before its first line is raised."""
        job = await self.jobs.begin(job_identity.new_id(), wish, _auth(request))
        # A worker may be long in coming.
        give_place_back(request.scope)
        told = self.watch.follow(job.job_id)
        try:
            first = await self._first(request, told, job.job_id)
        except BaseException:
            await told.aclose()
            raise
        if isinstance(first, End) and first.error is not None:
            await told.aclose()
            raise first.error

        async def abandon() -> None:
            await self.jobs.abandon(job.job_id)

        headers = [(b"wherry-job-id", job.job_id.encode())]
        if wish.kind is not JobKind.PUSH:
            headers.append((b"docker-plugin-name", wish.name.encode()))
        return Stream(chunks=_lines(first, told), headers=tuple(headers), abandoned=abandon)

    async def _first(self, request: Request, told: _Told, job_id: str) -> Step | End:
        """Return the first that a job tells; raises ClientGoneError when nobody waits for it."""
        telling = asyncio.ensure_future(anext(told))
        leaving = asyncio.create_task(request.gone())
        try:
            await asyncio.wait([telling, leaving], return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                return telling.result()
            await self.jobs.abandon(job_id)
            raise ClientGoneError
        finally:
            telling.cancel()
            leaving.cancel()
            await asyncio.wait([telling, leaving])


async def _lines(first: Step | End, told: _Told) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(told):
        for line in _line(first):
            yield line
        async for item in told:
            for line in _line(item):
                yield line


def _line(item: Step | End) -> tuple[bytes, ...]:
    if isinstance(item, Step):
        return (progress_line.line(item.progress),)
    return () if item.error is None else (progress_line.error_line(item.error),)


def _auth(request: Request) -> AuthConfig:
    return AuthConfig.from_header(request.header(b"x-registry-auth"))


async def _granted(request: Request) -> tuple[dict[str, object], ...]:
    privileges = json_body.privileges(
        await request.body(),
        content_type=request.header(b"content-type") or "",
        has_length=request.header(b"transfer-encoding") is None,
    )
    return tuple(privilege.to_dict() for privilege in privileges)
