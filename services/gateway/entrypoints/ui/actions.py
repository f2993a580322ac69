"""What a person may do here: each is a request to the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from services.gateway.domain import plugin_view
from services.gateway.entrypoints.http import Request
from services.gateway.entrypoints.ui.inner_api import InnerApi
from services.gateway.entrypoints.ui.page import Done
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.plugin import Plugin

_LIST: Final = "/ui/plugins"

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginActions:
    """The handlers of forms, and what they need."""

    replica: Replica
    api: InnerApi

    async def enable(self, request: Request, _form: Form) -> Done:
        """Start a plugin."""
        plugin = await self._find(request)
        await self.api.ask(
            request, "POST", f"/plugins/{plugin.name}/enable", query={"timeout": "0"}
        )
        return _done(plugin, f"{plugin.name} is enabled.")

    async def disable(self, request: Request, form: Form) -> Done:
        """Stop a plugin."""
        plugin = await self._find(request)
        await self.api.ask(request, "POST", f"/plugins/{plugin.name}/disable", query=_force(form))
        return _done(plugin, f"{plugin.name} is disabled.")

    async def remove(self, request: Request, form: Form) -> Done:
        """Remove a plugin."""
        plugin = await self._find(request)
        await self.api.ask(request, "DELETE", f"/plugins/{plugin.name}", query=_force(form))
        return Done(said=f"{plugin.name} is removed.", back=_LIST)

    async def set(self, request: Request, form: Form) -> Done:
        """Change one setting of a plugin."""
        plugin = await self._find(request)
        key = form.get("key", "")
        if not key:
            raise errdefs.InvalidArgument("no setting is named: nothing was changed")
        args = [f"{key}={form.get('value', '')}"]
        await self.api.ask(request, "POST", f"/plugins/{plugin.name}/set", body=args)
        return _done(plugin, f"{key} is set.")

    async def cancel_job(self, request: Request, _form: Form) -> Done:
        """Wish a job ended."""
        job_id = request.params["job"]
        await self.api.ask(request, "DELETE", f"/wherry/v1/jobs/{quote(job_id, safe='')}")
        return Done(said="The job is being cancelled.", back="/ui/node")

    async def _find(self, request: Request) -> Plugin:
        return (await self.replica.ready()).resolve(request.name).plugin


def _done(plugin: Plugin, said: str) -> Done:
    return Done(said=said, back=f"{_LIST}/{plugin_view.short_id(plugin)}")


def _force(form: Form) -> dict[str, str]:
    return {"force": "1"} if form.get("force") else {}
