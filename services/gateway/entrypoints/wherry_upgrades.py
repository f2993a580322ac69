"""Upgrades of many plugins on many nodes, in /wherry/v1: planned, watched, steered."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from services.gateway.domain.auth_config import AuthConfig
from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.http import Stream
from services.gateway.entrypoints.wherry_stream import (
    JSON_LINES,
    SERVER_SENT,
    STREAMED,
    StreamResponse,
)
from services.gateway.service.upgrades import Upgrades
from shared import errdefs
from shared.contracts.batch import Batch, BatchChanges

_POSITION: Final = r"^([0-9a-f]{8}-\d{1,20})?$"

Auth = Annotated[
    str,
    Header(alias="X-Registry-Auth", description="base64url of Docker's AuthConfig as JSON"),
]
After = Annotated[str, Query(pattern=_POSITION, description="go on behind this `position`")]
LastEventId = Annotated[str, Header(pattern=_POSITION)]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeExtension:
    """The handlers, and what they need."""

    upgrades: Upgrades

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        router.post("/upgrades", status_code=202)(self.create)
        router.get("/upgrades")(self.list)
        router.get("/upgrades/{upgrade_id}")(self.get)
        progress = router.get(
            "/upgrades/{upgrade_id}/progress", response_class=Response, responses=STREAMED
        )
        progress(self.progress)
        router.post("/upgrades/{upgrade_id}/pause")(self.pause)
        router.post("/upgrades/{upgrade_id}/resume")(self.resume)
        router.post("/upgrades/{upgrade_id}/cancel")(self.cancel)
        router.post("/upgrades/{upgrade_id}/rollback")(self.roll_back)

    async def create(self, wish: models.UpgradesRequest, auth: Auth = "") -> Batch:
        """Plan the upgrade of all selected plugins, and begin it unless it is a dry run."""
        return await self.upgrades.create(wish.to_batch(), AuthConfig.from_header(auth))

    async def list(self) -> models.Upgrades:
        """List upgrades, newest first."""
        return models.Upgrades(upgrades=await self.upgrades.list())

    async def get(self, upgrade_id: str) -> models.UpgradePlan:
        """Show an upgrade with its plan: each plugin, from what to what, and how far it is."""
        upgrade, plugins = await self.upgrades.get(upgrade_id)
        return models.UpgradePlan(upgrade=upgrade, plugins=plugins)

    async def progress(
        self,
        upgrade_id: str,
        request: Request,
        after: After = "",
        last_event_id: LastEventId = "",
    ) -> Response:
        """Stream what changes of an upgrade until it is over; hanging up changes nothing."""
        await self.upgrades.require(upgrade_id)
        is_sent = SERVER_SENT in request.headers.get("accept", "")
        told = self.upgrades.follow(upgrade_id, after or last_event_id)
        return StreamResponse(
            Stream(
                chunks=_formatted(told, is_sent=is_sent),
                content_type=(SERVER_SENT if is_sent else JSON_LINES).encode(),
            )
        )

    async def pause(self, upgrade_id: str) -> Batch:
        """Begin nothing more; what is under way ends."""
        return await self.upgrades.pause(upgrade_id)

    async def resume(self, upgrade_id: str) -> Batch:
        """Go on with an upgrade that is paused; what has failed until now is accepted."""
        return await self.upgrades.resume(upgrade_id)

    async def cancel(self, upgrade_id: str) -> Batch:
        """Begin nothing more, for good; what is under way ends, what is upgraded stays."""
        return await self.upgrades.cancel(upgrade_id)

    async def roll_back(self, upgrade_id: str) -> Batch:
        """Put back all that was upgraded, whether the upgrade is over or not."""
        return await self.upgrades.roll_back(upgrade_id)


async def _formatted(
    told: AsyncGenerator[BatchChanges, None], *, is_sent: bool
) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(told):
        try:
            async for changes in told:
                change = models.UpgradeChange(
                    position=changes.position, upgrade=changes.batch, plugins=changes.plugins
                )
                head = f"id: {change.position}"
                yield _written(head, change.model_dump_json(), is_sent=is_sent)
        except errdefs.Error as error:
            problem = models.Problem(code=error.code, message=error.message, detail=error.detail)
            line = models.ProblemLine(problem=problem).model_dump_json()
            yield _written("event: problem", line, is_sent=is_sent)


def _written(head: str, line: str, *, is_sent: bool) -> bytes:
    text = f"{head}\ndata: {line}\n\n" if is_sent else f"{line}\n"
    return text.encode()
