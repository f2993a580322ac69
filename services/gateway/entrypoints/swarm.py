"""Docker's routes about services, tasks and nodes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from services.gateway.domain import form, json_body, swarm_filter, swarm_json
from services.gateway.domain.auth_config import AuthConfig
from services.gateway.domain.swarm_filter import NodeFilter, ServiceFilter, TaskFilter
from services.gateway.entrypoints.http import Request, Response, json_response
from services.gateway.entrypoints.router import Route
from services.gateway.service.fleet import Services
from shared import errdefs
from shared.contracts.node import Availability, new_id
from shared.contracts.swarm import GRPC_CODE
from shared.oci import go_json

if TYPE_CHECKING:
    from services.gateway.domain.service_options import ServiceOptions

_NO_SWARM: Final = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect '
    "this node to swarm and try again."
)
#: dockerd's, which has no logs of plugins.
_NO_LOGS: Final = "error making log selector: logs only supported on container tasks"
_EMPTY = Response()
#: The classes of errors whose status dockerd tells by swarmkit's code rather than by ours.
_BY_GRPC: Final[dict[str, type[errdefs.Error]]] = {
    "FailedPrecondition": errdefs.InvalidArgument,
    "Unknown": errdefs.Error,
}
_LONGEST_NAME: Final = 12

_Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmRoutes:
    """The handlers, and whom they ask."""

    services: Services

    def routes(self) -> tuple[Route, ...]:
        """Return the table."""
        table: tuple[tuple[str, str, _Handler], ...] = (
            ("GET", "/services", self.list_services),
            ("POST", "/services/create", self.create_service),
            ("GET", "/services/{name}/logs", self.service_logs),
            ("GET", "/services/{name}", self.inspect_service),
            ("POST", "/services/{name}/update", self.update_service),
            ("DELETE", "/services/{name}", self.remove_service),
            ("GET", "/tasks", self.list_tasks),
            ("GET", "/tasks/{name}/logs", self.task_logs),
            ("GET", "/tasks/{name}", self.inspect_task),
            ("GET", "/nodes", self.list_nodes),
            ("GET", "/nodes/{name}", self.inspect_node),
            ("POST", "/nodes/{name}/update", self.update_node),
            ("DELETE", "/nodes/{name}", self.remove_node),
            ("GET", "/swarm", self.no_swarm),
            ("GET", "/swarm/unlockkey", self.no_swarm),
            ("POST", "/swarm/update", self.no_swarm),
            ("POST", "/swarm/leave", self.not_in_a_swarm),
            ("POST", "/swarm/unlock", self.not_in_a_swarm),
            ("POST", "/swarm/init", self.no_raft),
            ("POST", "/swarm/join", self.no_raft),
        )
        return tuple(
            Route(method=method, template=template, handler=_in_swarms_words(handler))
            for method, template, handler in table
        )

    async def list_services(self, request: Request) -> Response:
        """List the services that pass the filters."""
        wanted = ServiceFilter.parse(request.form("filters"))
        with_status = form.is_true(request.form("status"))
        shown = [
            swarm_json.service_object(one, with_status=with_status)
            for one in await self.services.list()
            if wanted.matches(one)
        ]
        return json_response(shown)

    async def create_service(self, request: Request) -> Response:
        """Create a service."""
        options = await _service(request)
        spec = options.to_spec(new_id()[:_LONGEST_NAME])
        service_id = await self.services.create(spec, _auth(request))
        warnings = list(options.warnings) or None
        return json_response({"ID": service_id, "Warnings": warnings}, status=201)

    async def inspect_service(self, request: Request) -> Response:
        """Show one service."""
        with_defaults = _go_bool(request.form("insertDefaults"))
        service = await self.services.get(request.name)
        return json_response(swarm_json.service_object(service, with_defaults=with_defaults))

    async def update_service(self, request: Request) -> Response:
        """Give a service another spec."""
        options = await _service(request)
        version = _version(request, "service")
        source = request.form("registryAuthFrom")
        if source not in ("", "spec", "previous-spec"):
            raise errdefs.InvalidArgument(f"invalid registryAuthFrom '{source}'")
        await self.services.update(
            request.name,
            version,
            options.to_spec(""),
            _auth(request),
            rollback=request.form("rollback") == "previous",
        )
        return json_response({"Warnings": list(options.warnings) or None})

    async def remove_service(self, request: Request) -> Response:
        """Remove a service."""
        await self.services.remove(request.name)
        return _EMPTY

    async def list_tasks(self, request: Request) -> Response:
        """List the tasks that pass the filters."""
        services, fleet = await self.services.list(), await self.services.fleet()
        wanted = TaskFilter.parse(request.form("filters"), services, fleet)
        tasks = await self.services.tasks()
        return json_response([swarm_json.task_object(one) for one in tasks if wanted.matches(one)])

    async def inspect_task(self, request: Request) -> Response:
        """Show one task."""
        found = swarm_filter.find_task(await self.services.tasks(), request.name)
        return json_response(swarm_json.task_object(found))

    async def service_logs(self, request: Request) -> Response:
        """Refuse, as dockerd does: its logs of services are those of containers."""
        _require_a_stream(request)
        await self.services.get(request.name)
        raise errdefs.Error(_NO_LOGS)

    async def task_logs(self, request: Request) -> Response:
        """Refuse as for a service, where dockerd panics."""
        _require_a_stream(request)
        swarm_filter.find_task(await self.services.tasks(), request.name)
        raise errdefs.Error(_NO_LOGS)

    async def list_nodes(self, request: Request) -> Response:
        """List the nodes that pass the filters."""
        wanted = NodeFilter.parse(request.form("filters"))
        fleet = await self.services.fleet()
        shown = [
            swarm_json.node_object(one, is_manager=one.name == fleet.active)
            for one in fleet.nodes
            if wanted.matches(one, fleet.active)
        ]
        return json_response(shown)

    async def inspect_node(self, request: Request) -> Response:
        """Show one node."""
        found, is_manager = await self.services.node(request.name)
        return json_response(swarm_json.node_object(found, is_manager=is_manager))

    async def update_node(self, request: Request) -> Response:
        """Set a node's labels and availability."""
        options = json_body.node(**await _body(request))
        version = _version(request, "node")
        if options.role not in ("manager", "worker"):
            raise errdefs.InvalidArgument(f"invalid Role: {go_json.quote(options.role)}")
        if options.availability not in set(Availability):
            said = go_json.quote(options.availability)
            raise errdefs.InvalidArgument(f"invalid Availability: {said}")
        found, is_manager = await self.services.node(request.name)
        if (options.role == "manager") is not is_manager:
            raise errdefs.Unimplemented(
                f"node {found.node_id} cannot be made a {options.role}: the manager is the node "
                "whose controller is active, which the controllers settle among themselves"
            )
        await self.services.update_node(
            found.name, version, options.labels or {}, Availability(options.availability)
        )
        return _EMPTY

    async def remove_node(self, request: Request) -> Response:
        """Forget a node."""
        force = form.is_true(request.form("force"))
        await self.services.remove_node(request.name, force=force)
        return _EMPTY

    async def no_swarm(self, request: Request) -> Response:
        """Refuse: there is no swarm, though there are services."""
        raise errdefs.Unavailable(_NO_SWARM)

    async def not_in_a_swarm(self, request: Request) -> Response:
        """Refuse what only a member of a swarm can do."""
        raise errdefs.Unavailable("This node is not part of a swarm")

    async def no_raft(self, request: Request) -> Response:
        """Refuse to begin or join a swarm."""
        raise errdefs.Unimplemented(
            "Wherry's nodes form no swarm: those that share a Redis, by WHERRY_REDIS_URL, are a "
            "fleet, and its services and nodes are there without more ado"
        )


def _in_swarms_words(handler: _Handler) -> _Handler:
    """Have a handler's errors told as dockerd tells those of swarmkit."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except errdefs.Error as error:
            code = str(error.detail.get(GRPC_CODE, ""))
            if not code:
                raise
            told = _BY_GRPC.get(code, type(error))
            raise told(
                f"rpc error: code = {code} desc = {error.message}", detail=error.detail
            ) from error

    return handle


async def _service(request: Request) -> ServiceOptions:
    return json_body.service(**await _body(request))


async def _body(request: Request) -> dict[str, Any]:
    return {
        "body": await request.body(),
        "content_type": request.header(b"content-type") or "",
        "has_length": request.header(b"transfer-encoding") is None,
    }


def _version(request: Request, kind: str) -> int:
    said = request.form("version")
    try:
        return form.to_int(said, function="ParseUint")
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f"invalid {kind} version '{said}': {error.message}"
        ) from error


def _require_a_stream(request: Request) -> None:
    if not any(form.is_true(request.form(name)) for name in ("stdout", "stderr")):
        raise errdefs.Error("Bad parameters: you must choose at least one stream")


def _go_bool(said: str) -> bool:
    if said.lower() in ("", "0", "f", "false"):
        return False
    if said.lower() in ("1", "t", "true"):
        return True
    raise errdefs.InvalidArgument(
        f"invalid value for insertDefaults: {said}: strconv.ParseBool: parsing "
        f"{go_json.quote(said)}: invalid syntax"
    )


def _auth(request: Request) -> AuthConfig:
    return AuthConfig.from_header(request.header(b"x-registry-auth"))
