"""The extension API, /wherry/v1: what Docker's API has no words for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from services.gateway.config import GatewayConfig
from services.gateway.domain import api_version, filters, form
from services.gateway.domain.docker_openapi import document as docker_openapi
from services.gateway.domain.event_reading import Reading
from services.gateway.domain.event_time import Window
from services.gateway.domain.host import Host
from services.gateway.entrypoints import event_format
from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.errors import FAULT, retry_after, wherry_status
from services.gateway.entrypoints.wherry_archives import ArchiveExtension
from services.gateway.entrypoints.wherry_audit import AuditExtension
from services.gateway.entrypoints.wherry_diff import DiffExtension
from services.gateway.entrypoints.wherry_exec import ExecExtension
from services.gateway.entrypoints.wherry_health import Health, shown
from services.gateway.entrypoints.wherry_jobs import JobExtension
from services.gateway.entrypoints.wherry_logs import LogExtension
from services.gateway.entrypoints.wherry_look import LookExtension
from services.gateway.entrypoints.wherry_node import NodeExtension
from services.gateway.entrypoints.wherry_references import ReferenceExtension
from services.gateway.entrypoints.wherry_rights import RightsExtension
from services.gateway.entrypoints.wherry_secrets import SecretExtension
from services.gateway.entrypoints.wherry_stream import JSON_LINES, SERVER_SENT, STREAMED
from services.gateway.entrypoints.wherry_supervision import SupervisionExtension
from services.gateway.entrypoints.wherry_traces import TraceExtension
from services.gateway.entrypoints.wherry_upgrades import UpgradeExtension
from services.gateway.entrypoints.wherry_volumes import VolumeExtension
from services.gateway.ports import Programs
from services.gateway.service.feed import Feed
from services.gateway.service.health import NodeHealth
from services.gateway.service.replica import Replica
from services.gateway.service.verbs import Verbs
from shared import errdefs
from shared.contracts.event import FeedFilter
from shared.contracts.plugin import Plugin
from shared.contracts.recovery import RecoveryReport
from shared.contracts.reference import provides
from shared.version import VERSION

Capability = Annotated[
    str, Query(description="only enabled plugins that have it, such as `volumedriver`")
]
#: Unix seconds, with a fraction or without.
Seconds = Annotated[str, Query(description="Unix seconds, with an optional fraction")]
Strict = Annotated[bool, Query(description="a filter such as `plugin` passes that type only")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The handlers, and what they need."""

    config: GatewayConfig
    host: Host
    programs: Programs
    replica: Replica
    feed: Feed
    verbs: Verbs
    health: NodeHealth
    jobs: JobExtension
    references: ReferenceExtension
    node: NodeExtension
    logs: LogExtension
    look: LookExtension
    volumes: VolumeExtension
    execs: ExecExtension
    archives: ArchiveExtension
    diffs: DiffExtension
    audit: AuditExtension
    secrets: SecretExtension
    traces: TraceExtension
    upgrades: UpgradeExtension

    def application(self) -> FastAPI:
        """Return the API as an ASGI application; its paths begin with /wherry/v1."""
        app = FastAPI(
            title="Wherry",
            version=VERSION,
            openapi_url="/wherry/v1/openapi.json",
            docs_url=None,
            redoc_url=None,
            # The span of a request is opened outside, for Docker's routes as for these.
            telemetry={"tracing": False, "metrics": False, "logs": False},
        )
        # As they are: including a router makes each of its routes a second time.
        app.router.routes.extend(self._router().routes)
        app.add_exception_handler(errdefs.Error, _refuse)
        app.add_exception_handler(RequestValidationError, _refuse_parameters)
        app.add_exception_handler(HTTPException, _refuse_route)
        app.add_exception_handler(Exception, _admit_fault)
        return app

    def _router(self) -> APIRouter:
        router = APIRouter(prefix="/wherry/v1", responses={"default": {"model": models.Problem}})
        router.get("/health", responses={503: {"model": Health}})(self.get_health)
        router.get("/docker-openapi.json")(self.describe_docker)
        router.get("/nodes")(self.list_nodes)
        router.post("/node/shutdown", status_code=204)(self.shut_down)
        router.get("/node/recovery")(self.get_recovery)
        router.post("/content/collect")(self.collect_garbage)
        router.get("/plugins")(self.list_plugins)
        self.jobs.add_to(router)
        self.references.add_to(router)
        self.volumes.add_to(router)
        self.node.add_to(router)
        RightsExtension(verbs=self.verbs).add_to(router)
        self.logs.add_to(router)
        SupervisionExtension(replica=self.replica, verbs=self.verbs).add_to(router)
        self.look.add_to(router)
        self.execs.add_to(router)
        self.archives.add_to(router)
        self.diffs.add_to(router)
        self.audit.add_to(router)
        self.secrets.add_to(router)
        self.traces.add_to(router)
        self.upgrades.add_to(router)
        router.get("/plugins/{name:path}")(self.get_plugin)
        events = router.get("/events", response_class=StreamingResponse, responses=STREAMED)
        events(self.stream_events)
        return router

    async def get_health(self, response: Response) -> Health:
        """Ask every service of the node how it is; 503 unless all are well."""
        health = await shown(self.health)
        response.status_code = health.status
        return health

    async def describe_docker(self) -> dict[str, Any]:
        """Describe Docker's routes that are served, as OpenAPI."""
        return docker_openapi.document()

    async def list_nodes(self) -> models.Nodes:
        """Show the node that this gateway speaks for."""
        node = self.config.node
        found = models.Node(
            name=node.name,
            root=str(node.root),
            exec_root=str(node.exec_root),
            socket=str(node.socket),
            version=VERSION,
            docker_version=api_version.ENGINE,
            api_version=api_version.CURRENT,
            kernel_version=self.host.kernel_version,
            operating_system=self.host.operating_system,
            architecture=self.host.machine,
            programs={name: found.version for name, found in (await self.programs.known()).items()},
            healthy=(await shown(self.health)).healthy,
        )
        return models.Nodes(nodes=(found,))

    async def shut_down(self) -> None:
        """Stop all plugins, still wanted, and undo the node's mounts and cgroups."""
        await self.verbs.shut_down()

    async def get_recovery(self) -> RecoveryReport:
        """Show what the store found and did when it last started."""
        return await self.verbs.recovery()

    async def collect_garbage(self, *, dry_run: bool = False) -> models.Garbage:
        """Delete the blobs that no plugin and no job needs, or only tell which."""
        gone = await self.verbs.collect_garbage(dry_run=dry_run)
        return models.Garbage(digests=gone.digests, size_bytes=gone.size_bytes, deleted=not dry_run)

    async def list_plugins(self, capability: Capability = "") -> models.Plugins:
        """List plugins with all that is known of them, sorted by name."""
        inventory = await self.replica.ready()
        plugins = sorted((e.plugin for e in inventory.entries.values()), key=lambda p: p.name)
        if capability:
            plugins = [p for p in plugins if p.enabled and provides(p, capability)]
        return models.Plugins(
            epoch=inventory.epoch, revision=inventory.revision, plugins=tuple(plugins)
        )

    async def get_plugin(self, name: str) -> Plugin:
        """Show a plugin by its name, id or the beginning of its id."""
        return (await self.replica.ready()).resolve(name).plugin

    async def stream_events(
        self,
        after: Annotated[int | None, Query(ge=0, description="go on behind this `seq`")] = None,
        since: Seconds = "",
        until: Seconds = "",
        filters_: Annotated[str, Query(alias="filters", description="as Docker's")] = "",
        strict: Strict = False,  # noqa: FBT002 - a parameter of the query
        accept: Annotated[str, Header()] = "",
        last_event_id: Annotated[str, Header()] = "",
    ) -> StreamingResponse:
        """Stream events: lines of JSON, or server-sent events to who accepts them."""
        if after is None and last_event_id:
            after = form.to_int(last_event_id, function="ParseInt")
        reading = Reading(
            window=Window.parse(since, until),
            filter=FeedFilter(terms=dict(filters.parse(filters_)), strict=strict),
            after_seq=after,
            opened_ns=self.feed.clock(),
            positions=self.feed.positions(),
        )
        batches = await self.feed.open(reading)
        if SERVER_SENT in accept:
            written = event_format.formatted(batches, event_format.server_sent)
            return StreamingResponse(written, media_type=SERVER_SENT)
        written = event_format.formatted(batches, event_format.json_line)
        return StreamingResponse(written, media_type=JSON_LINES)


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, errdefs.Error)
    return _problem(wherry_status(error), error)


async def _refuse_parameters(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    complaints = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    return _problem(400, errdefs.InvalidArgument("; ".join(complaints)))


async def _refuse_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        return _problem(404, errdefs.NotFound("page not found"))
    return _problem(error.status_code, errdefs.Error(str(error.detail)))


async def _admit_fault(_request: Request, _error: Exception) -> Response:
    return _problem(500, FAULT)


def _problem(status: int, error: errdefs.Error) -> Response:
    content: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "detail": error.detail,
    }
    headers = {name.decode(): value.decode() for name, value in retry_after(error)}
    return JSONResponse(content, status_code=status, headers=headers)
