"""Jobs in /wherry/v1: begun, followed, cancelled; their clients may go away and come back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response

from services.gateway.domain import job_identity
from services.gateway.domain.auth_config import AuthConfig
from services.gateway.entrypoints import job_format
from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.http import Stream, meta_headers
from services.gateway.entrypoints.wherry_stream import (
    JSON_LINES,
    SERVER_SENT,
    STREAMED,
    StreamResponse,
)
from services.gateway.service.job_watch import JobWatch
from services.gateway.service.jobs import Jobs
from services.gateway.service.registries import Registries
from services.gateway.service.replica import Replica
from shared.contracts.job import Job, JobKind, JobRequest
from shared.oci import reference

_POSITION: Final = r"^(\d{1,20}-\d{1,20})?$"
_AUTH: Final = "base64url of Docker's AuthConfig as JSON; what can't be read is anonymous"

Auth = Annotated[str, Header(alias="X-Registry-Auth", description=_AUTH)]
Detach = Annotated[bool, Query(description="answer at once; the job goes on without its client")]
After = Annotated[str, Query(pattern=_POSITION, description="go on behind this `position`")]
LastEventId = Annotated[str, Header(pattern=_POSITION)]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExtension:
    """The handlers, and what they need."""

    replica: Replica
    registries: Registries
    jobs: Jobs
    watch: JobWatch

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        begun: dict[int | str, dict[str, Any]] = {
            **STREAMED,
            202: {"model": Job, "description": "with `detach`: the job as it was queued"},
        }
        for path, handler in (("pull", self.pull), ("push", self.push), ("upgrade", self.upgrade)):
            route = router.post(f"/plugins/{path}", response_class=Response, responses=begun)
            route(handler)
        router.get("/plugins/privileges")(self.get_privileges)
        router.get("/jobs")(self.list_jobs)
        router.get("/jobs/{job_id}")(self.get_job)
        router.delete("/jobs/{job_id}")(self.cancel_job)
        progress = router.get(
            "/jobs/{job_id}/progress", response_class=Response, responses=STREAMED
        )
        progress(self.stream_progress)

    async def get_privileges(
        self, request: Request, remote: str, auth: Auth = ""
    ) -> models.Privileges:
        """Tell what a plugin at a registry needs to be granted."""
        login, headers = AuthConfig.from_header(auth), meta_headers(request.headers.raw)
        needed = await self.registries.privileges(remote, login, headers)
        return models.Privileges(privileges=tuple(map(models.Privilege.from_docker, needed)))

    async def pull(
        self,
        wish: models.PullRequest,
        request: Request,
        detach: Detach = False,  # noqa: FBT002 - a parameter of the query
        auth: Auth = "",
    ) -> Response:
        """Install a plugin from a registry; without `detach`, hanging up cancels it."""
        ref, name = reference.local_name(wish.remote, wish.name)
        job = JobRequest(
            kind=JobKind.PULL,
            name=name,
            remote=str(ref),
            privileges=tuple(one.to_docker() for one in wish.privileges),
            meta_headers=meta_headers(request.headers.raw),
            env=wish.env,
            swarm_service_id=wish.swarm_service_id,
        )
        return await self._begin(request, job, auth, detach=detach)

    async def push(
        self,
        wish: models.PushRequest,
        request: Request,
        detach: Detach = False,  # noqa: FBT002 - a parameter of the query
        auth: Auth = "",
    ) -> Response:
        """Push a plugin to where its name says; without `detach`, hanging up cancels it."""
        name = (await self.replica.ready()).resolve(wish.name).plugin.name
        job = JobRequest(
            kind=JobKind.PUSH,
            name=name,
            remote=str(reference.parse(name)),
            meta_headers=meta_headers(request.headers.raw),
        )
        return await self._begin(request, job, auth, detach=detach)

    async def upgrade(
        self,
        wish: models.UpgradeRequest,
        request: Request,
        detach: Detach = False,  # noqa: FBT002 - a parameter of the query
        auth: Auth = "",
    ) -> Response:
        """Replace a plugin; without `detach`, hanging up cancels it."""
        plugin = (await self.replica.ready()).resolve(wish.name).plugin
        ref = reference.parse_remote(wish.remote or plugin.reference)
        job = JobRequest(
            kind=JobKind.UPGRADE,
            name=plugin.name,
            remote=str(ref),
            privileges=tuple(one.to_docker() for one in wish.privileges),
            meta_headers=meta_headers(request.headers.raw),
            env=wish.env,
            swarm_service_id=wish.swarm_service_id,
            strategy=wish.strategy,
            monitor_s=wish.monitor_s,
            drain_s=wish.drain_s,
        )
        return await self._begin(request, job, auth, detach=detach)

    async def list_jobs(self) -> models.Jobs:
        """List the jobs that are kept, newest first."""
        return models.Jobs(jobs=await self.jobs.list())

    async def get_job(self, job_id: str) -> Job:
        """Show a job."""
        return await self.jobs.get(job_id)

    async def cancel_job(self, job_id: str) -> Job:
        """Wish a job ended, and show it as it is then; one that is over stays as it is."""
        return await self.jobs.cancel(job_id)

    async def stream_progress(
        self, job_id: str, request: Request, after: After = "", last_event_id: LastEventId = ""
    ) -> Response:
        """Stream what a job tells, and at the end the job; hanging up changes nothing."""
        await self.jobs.get(job_id)
        return StreamResponse(self._stream(request, job_id, after or last_event_id))

    async def _begin(
        self, request: Request, wish: JobRequest, auth: str, *, detach: bool
    ) -> Response:
        job_id = job_identity.new_id()
        job = await self.jobs.begin(job_id, wish, AuthConfig.from_header(auth))
        if detach:
            return JSONResponse(job.model_dump(mode="json"), status_code=202)

        async def abandon() -> None:
            await self.jobs.abandon(job_id)

        stream = self._stream(request, job_id, "")
        return StreamResponse(dataclasses.replace(stream, abandoned=abandon))

    def _stream(self, request: Request, job_id: str, after: str) -> Stream:
        is_sent = SERVER_SENT in request.headers.get("accept", "")
        write = job_format.server_sent if is_sent else job_format.json_line
        return Stream(
            chunks=job_format.formatted(self.jobs, job_id, self.watch.follow(job_id, after), write),
            content_type=(SERVER_SENT if is_sent else JSON_LINES).encode(),
            headers=((b"wherry-job-id", job_id.encode()),),
        )
