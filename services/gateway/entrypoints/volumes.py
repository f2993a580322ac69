"""Docker's routes about volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway.domain import api_version, form, json_body, volume_filter, volume_json
from services.gateway.domain.volume_filter import VolumeFilter
from services.gateway.entrypoints.http import Request, Response, json_response
from services.gateway.entrypoints.router import Route
from services.gateway.service.volumes import Volumes
from shared import errdefs

_NO_CONTENT = Response(status=204)
#: Since it there are volumes of a swarm, and a prune spares what has a name.
_CLUSTER_VERSION: Final = "1.42"
_NO_SWARM: Final = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect '
    "this node to swarm and try again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRoutes:
    """The handlers, and whom they ask."""

    volumes: Volumes

    def routes(self) -> tuple[Route, ...]:
        """Return the table."""
        return (
            Route(method="GET", template="/volumes", handler=self.list),
            Route(method="GET", template="/volumes/{name}", handler=self.inspect),
            Route(method="POST", template="/volumes/create", handler=self.create),
            Route(method="POST", template="/volumes/prune", handler=self.prune),
            Route(method="PUT", template="/volumes/{name}", handler=self.update),
            Route(method="DELETE", template="/volumes/{name}", handler=self.remove),
        )

    async def list(self, request: Request) -> Response:
        """List the volumes that pass the filters."""
        wanted = VolumeFilter.parse(request.form("filters"))
        return json_response(volume_json.volume_list(await self.volumes.list(wanted)))

    async def inspect(self, request: Request) -> Response:
        """Show one volume."""
        return json_response(volume_json.volume_object(await self.volumes.get(request.name)))

    async def create(self, request: Request) -> Response:
        """Create a volume."""
        options = json_body.volume(
            await request.body(),
            content_type=request.header(b"content-type") or "",
            has_length=request.header(b"transfer-encoding") is None,
        )
        is_older = api_version.is_below(request.version, _CLUSTER_VERSION)
        if options.cluster_volume_spec is not None and not is_older:
            raise errdefs.Unavailable(_NO_SWARM)
        volume = await self.volumes.create(options.to_command())
        return json_response(volume_json.volume_object(volume), status=201)

    async def update(self, request: Request) -> Response:
        """Refuse: only a swarm's volumes can be changed."""
        raise errdefs.Unavailable(
            "volume update only valid for cluster volumes, but swarm is unavailable"
        )

    async def remove(self, request: Request) -> Response:
        """Remove a volume."""
        await self.volumes.remove(request.name, force=form.is_true(request.form("force")))
        return _NO_CONTENT

    async def prune(self, request: Request) -> Response:
        """Remove the local volumes that nobody uses."""
        command = volume_filter.to_prune(
            request.form("filters"),
            takes_named=api_version.is_below(request.version, _CLUSTER_VERSION),
        )
        return json_response(volume_json.prune_report(await self.volumes.prune(command)))
