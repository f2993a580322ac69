"""Upgrades of many plugins: planned in a form, watched, steered."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from services.gateway.domain import batch_view
from services.gateway.domain.live_regions import Listing, Regions
from services.gateway.entrypoints.http import Request, Stream
from services.gateway.entrypoints.ui import live
from services.gateway.entrypoints.ui.guard import Visit
from services.gateway.entrypoints.ui.inner_api import InnerApi
from services.gateway.entrypoints.ui.page import Done, Page
from services.gateway.entrypoints.ui.render import render
from services.gateway.service.upgrades import Upgrades
from shared import errdefs
from shared.contracts.batch import Batch, BatchPlugin, FailureAction, PrivilegePolicy
from shared.contracts.upgrade import UpgradeStrategy

#: The controller, maybe of another node, is asked so often for a page.
_REFRESH_S: Final = 1.0
_SAID: Final = {
    "pause": "Nothing more is begun; what is under way ends.",
    "resume": "It goes on.",
    "cancel": "It is cancelled; what is under way ends, what is upgraded stays.",
    "rollback": "What was upgraded is being put back.",
}

Form = Mapping[str, str]
Look = Callable[[], Awaitable[tuple[str, Regions]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradePages:
    """The handlers, and what they need."""

    upgrades: Upgrades
    api: InnerApi
    closed: live.Closed

    async def show(self, request: Request, _visit: Visit) -> Page | Stream:
        """List upgrades, newest first."""
        if live.is_wished(request):
            return self._stream(request, self._look)
        position, shown = await self._look()
        return Page(
            title="Upgrades",
            section="upgrades",
            template="upgrades.html",
            position=position,
            values={"parts": shown.parts},
        )

    async def show_form(self, _request: Request, _visit: Visit) -> Page:
        """Ask which plugins are to become what, and how."""
        return Page(
            title="New upgrade",
            section="upgrades",
            template="upgrade_new.html",
            values={
                "actions": [*FailureAction],
                "policies": [*PrivilegePolicy],
                "orders": [UpgradeStrategy.STOP_FIRST, UpgradeStrategy.START_FIRST],
            },
        )

    async def show_one(self, request: Request, visit: Visit) -> Page | Stream:
        """Show an upgrade: its plan, how far each plugin is, and what may be done."""
        batch_id = request.params["upgrade"]

        async def look() -> tuple[str, Regions]:
            batch, plugins = await self.upgrades.get(batch_id)
            return _placed(_regions(batch, plugins, visit))

        if live.is_wished(request):
            return self._stream(request, look)
        position, shown = await look()
        return Page(
            title=f"Upgrade {batch_id[:8]}",
            section="upgrades",
            template="upgrade.html",
            position=position,
            values={"parts": shown.parts, "plan": shown.lists["plan"].whole()},
        )

    async def create(self, request: Request, form: Form) -> Done:
        """Plan an upgrade, or begin it."""
        return await self._created(request, _wish(form))

    async def begin(self, request: Request, _form: Form) -> Done:
        """Begin what was only planned: as another upgrade, planned anew."""
        planned = await self.upgrades.require(request.params["upgrade"])
        return await self._created(
            request, planned.request.model_dump(mode="json") | {"dry_run": False}
        )

    async def steer(self, request: Request, _form: Form) -> Done:
        """Pause, resume, cancel or roll back."""
        batch_id, verb = request.params["upgrade"], request.params["verb"]
        if verb not in _SAID:
            raise errdefs.NotFound("page not found")
        await self.api.ask(
            request, "POST", f"/wherry/v1/upgrades/{quote(batch_id, safe='')}/{verb}"
        )
        return Done(said=_SAID[verb], back=f"/ui/upgrades/{batch_id}")

    async def _created(self, request: Request, wish: dict[str, Any]) -> Done:
        batch = await self.api.ask(request, "POST", "/wherry/v1/upgrades", body=wish)
        said = "It is being planned." if wish["dry_run"] else "It begins."
        return Done(said=said, back=f"/ui/upgrades/{batch['batch_id']}")

    async def _look(self) -> tuple[str, Regions]:
        batches = await self.upgrades.list()
        html = render("upgrades_list.html", {"batches": batches, "view": batch_view})
        return _placed(Regions(parts={"upgrades": html}))

    def _stream(self, request: Request, look: Look) -> Stream:
        return live.stream(
            live.regions(
                look,
                _wait,
                seen=live.cursor(request),
                is_closed=self.closed,
                refresh_s=_REFRESH_S,
            )
        )


async def _wait(_seen: str) -> bool:
    await asyncio.sleep(_REFRESH_S / 2)
    return False


def _placed(regions: Regions) -> tuple[str, Regions]:
    """Return the parts with what tells them from others: the controller numbers none of them."""
    return hashlib.sha256("".join(regions.whole()).encode()).hexdigest()[:16], regions


def _regions(batch: Batch, plugins: tuple[BatchPlugin, ...], visit: Visit) -> Regions:
    values = {"batch": batch, "view": batch_view, "token": visit.token}
    rows = {
        f"b-{one.plugin.number}": render("upgrade_row.html", {"one": one, "view": batch_view})
        for one in plugins
    }
    return Regions(
        parts={name: render(f"upgrade_{name}.html", values) for name in ("head", "progress")},
        lists={"plan": Listing(tag="tbody", element_id="plan", items=rows)},
    )


def _wish(form: Form) -> dict[str, Any]:
    """Read the form as the API's request; what is left empty is not said."""
    enabled = {"": None, "enabled": True, "disabled": False}.get(form.get("enabled", ""))
    selector = {
        "names": form.get("names", "").replace(",", " ").split(),
        "capability": form.get("capability", "").strip(),
        "reference": form.get("reference", "").strip(),
        "nodes": form.get("nodes", "").replace(",", " ").split(),
        "node_labels": form.get("node_labels", "").replace(",", " ").split(),
        "enabled": enabled,
    }
    to = form.get("to", "").strip()
    if not to:
        raise errdefs.InvalidArgument("say what the plugins are to become: a tag, or a reference")
    is_tag = "/" not in to and ":" not in to
    update = {
        "parallelism": _number(form, "parallelism", "1"),
        "delay_s": _number(form, "delay_s", "0"),
        "monitor_s": _number(form, "monitor_s", "5"),
        "max_failure_ratio": _number(form, "max_failure_percent", "0") / 100,
        "failure_action": form.get("failure_action", "pause"),
        "order": form.get("order", "stop-first"),
    }
    return {
        "selector": {key: value for key, value in selector.items() if value not in ("", [], None)},
        "target": {"tag": to} if is_tag else {"reference": to},
        "update": update,
        "policy": form.get("policy", "require-same"),
        "dry_run": form.get("do") != "begin",
    }


def _number(form: Form, key: str, default: str) -> float | int:
    text = form.get(key, "").strip() or default
    try:
        value = float(text)
    except ValueError as error:
        raise errdefs.InvalidArgument(f"{key}: {text} is no number") from error
    return int(value) if value.is_integer() else value
