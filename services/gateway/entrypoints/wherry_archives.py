"""Plugins as archives of OCI image layouts, in /wherry/v1: saved, brought and loaded."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from services.gateway.domain import job_identity
from services.gateway.domain.auth_config import AuthConfig
from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.http import Stream
from services.gateway.entrypoints.idempotency import refuse_key
from services.gateway.entrypoints.wherry_stream import StreamResponse
from services.gateway.service.archives import Archives
from services.gateway.service.jobs import Jobs
from shared import errdefs
from shared.contracts.job import Job, JobKind, JobRequest
from shared.oci import reference

_TAR: Final = "application/x-tar"
#: The store did not answer, or fell over, which says nothing about whether the job began.
_IN_DOUBT: Final = (errdefs.Unavailable, errdefs.DeadlineExceeded, errdefs.Internal)
Names = Annotated[list[str], Query(description="which plugins; may be repeated")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveExtension:
    """The handlers, and what they need."""

    archives: Archives
    jobs: Jobs

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        saved: dict[int | str, dict[str, Any]] = {200: {"content": {_TAR: {}}}}
        router.get("/archives", response_class=Response, responses=saved)(self.save)
        router.post("/archives", status_code=201, dependencies=[Depends(refuse_key)])(self.bring)
        router.delete("/archives/{archive_id}", status_code=204)(self.delete)
        router.post("/plugins/load", status_code=202)(self.load)

    async def save(self, name: Names) -> Response:
        """Save plugins as an archive of an OCI image layout, as they were pulled or created."""
        return StreamResponse(
            Stream(chunks=await self.archives.save(name), content_type=_TAR.encode())
        )

    async def bring(self, request: Request) -> models.Archive:
        """Bring an archive, and tell which plugins are in it for this machine.

        It is kept for an hour.
        """
        archive_id = secrets.token_hex(16)
        plugins = await self.archives.bring(archive_id, _chunks(request))
        return models.Archive(
            archive_id=archive_id, plugins=tuple(map(models.ArchivedPlugin.of, plugins))
        )

    async def delete(self, archive_id: str) -> None:
        """Delete an archive; what is being loaded from it goes on."""
        self.archives.spool.delete(archive_id)

    async def load(self, wish: models.LoadRequest) -> Response:
        """Install a plugin from an archive, with all that a pull checks; answers with the job."""
        ref, name = reference.local_name(wish.remote, wish.name)
        job_id = job_identity.new_id()
        request = JobRequest(
            kind=JobKind.PULL,
            name=name,
            remote=str(ref),
            privileges=tuple(one.to_docker() for one in wish.privileges),
            archive_digest=wish.digest,
        )
        job = await self._begin(wish.archive_id, job_id, request)
        return JSONResponse(job.model_dump(mode="json"), status_code=202)

    async def _begin(self, archive_id: str, job_id: str, request: JobRequest) -> Job:
        is_new = self.archives.spool.give(archive_id, job_id)
        try:
            return await self.jobs.begin(job_id, request, AuthConfig.from_header(""))
        except errdefs.Error as error:
            # The job of an earlier request with the same key keeps its archive. One that no job
            # began with is deleted when the store starts next.
            if is_new and not isinstance(error, _IN_DOUBT):
                self.archives.spool.take_back(job_id)
            raise


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk
