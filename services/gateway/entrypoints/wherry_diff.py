"""Versions of plugins compared, in /wherry/v1."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.gateway.domain.auth_config import AuthConfig
from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.http import meta_headers
from services.gateway.entrypoints.wherry_jobs import Auth
from services.gateway.service.diffs import Diffs

Which = Annotated[str, Query(description="a plugin that is here, or a reference at a registry")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffExtension:
    """The handler, and what it needs."""

    diffs: Diffs

    def add_to(self, router: APIRouter) -> None:
        """Add the route."""
        router.get("/plugins/diff")(self.compare)

    async def compare(
        self, request: Request, old: Which, new: Which, auth: Auth = ""
    ) -> models.PluginDiff:
        """Tell what differs between two versions, and what an upgrade makes of settings."""
        login, headers = AuthConfig.from_header(auth), meta_headers(request.headers.raw)
        before, after, found = await self.diffs.compare(old, new, login, headers)
        return models.PluginDiff(
            old=models.PluginVersion(name=before.name, manifest_digest=before.manifest_digest),
            new=models.PluginVersion(name=after.name, manifest_digest=after.manifest_digest),
            **dataclasses.asdict(found),
        )
