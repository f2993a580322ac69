"""Docker's routes about plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.gateway.domain import form, json_body
from services.gateway.domain.plugin_filter import PluginFilter
from services.gateway.entrypoints.http import JSON, Request, Response
from services.gateway.entrypoints.router import Route
from services.gateway.service.replica import Replica
from services.gateway.service.verbs import Verbs

_NO_CONTENT = Response(status=204)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRoutes:
    """Reads from the replica, verbs to the store."""

    replica: Replica
    verbs: Verbs

    def routes(self) -> tuple[Route, ...]:
        """Return the table."""
        return (
            Route(method="GET", template="/plugins", handler=self.list, now=self.list_now),
            Route(
                method="GET",
                template="/plugins/{name}/json",
                handler=self.inspect,
                now=self.inspect_now,
            ),
            Route(method="POST", template="/plugins/create", handler=self.create),
            Route(method="POST", template="/plugins/{name}/set", handler=self.set),
            Route(method="POST", template="/plugins/{name}/enable", handler=self.enable),
            Route(method="POST", template="/plugins/{name}/disable", handler=self.disable),
            Route(method="DELETE", template="/plugins/{name}", handler=self.remove),
        )

    async def list(self, request: Request) -> Response:
        """List the plugins that pass the filters."""
        wanted = PluginFilter.parse(request.form("filters"))
        inventory = await self.replica.ready()
        return Response(body=inventory.docker_list(wanted), content_type=JSON)

    def list_now(self, _params: Mapping[str, str]) -> Response:
        """List all plugins that are known at this moment."""
        body = self.replica.require_ready().docker_list(PluginFilter())
        return Response(body=body, content_type=JSON)

    async def inspect(self, request: Request) -> Response:
        """Show one plugin."""
        await self.replica.ready()
        return self.inspect_now(request.params)

    def inspect_now(self, params: Mapping[str, str]) -> Response:
        """Show one plugin as it is known at this moment."""
        entry = self.replica.require_ready().resolve(params["name"])
        return Response(body=entry.json + b"\n", content_type=JSON)

    async def create(self, request: Request) -> Response:
        """Create a plugin from the tar in the body."""
        await self.verbs.create(request.form("name"), request.chunks())
        return _NO_CONTENT

    async def set(self, request: Request) -> Response:
        """Change settings."""
        args = json_body.strings(
            await request.body(),
            content_type=request.header(b"content-type") or "",
            has_length=request.header(b"transfer-encoding") is None,
        )
        await self.verbs.set(request.name, args)
        return _NO_CONTENT

    async def enable(self, request: Request) -> Response:
        """Start a plugin."""
        timeout_s = form.to_int(request.form("timeout"), function="Atoi")
        await self.verbs.enable(request.name, timeout_s)
        return Response()

    async def disable(self, request: Request) -> Response:
        """Stop a plugin."""
        await self.verbs.disable(request.name, force=form.is_true(request.form("force")))
        return Response()

    async def remove(self, request: Request) -> Response:
        """Remove a plugin."""
        await self.verbs.remove(request.name, force=form.is_true(request.form("force")))
        return Response()
