"""A plugin's processes and what it uses, in /wherry/v1."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.gateway.domain import docker_json
from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.http import Stream
from services.gateway.entrypoints.wherry_stream import StreamResponse
from services.gateway.service.look import PluginLook

#: Of a look that is to tell a rate, the first tells none.
_WITH_RATE: Final = 2
_FOR_EVER: Final = 0

GoOn = Annotated[bool, Query(alias="stream", description="an object each second, or only one")]
OneShot = Annotated[
    bool, Query(alias="one-shot", description="with stream=0: at once, and without a rate")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookExtension:
    """The handlers, and what they need."""

    look: PluginLook

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        router.get("/plugins/{name:path}/top")(self.list_processes)
        told: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}}}}
        one = router.get("/plugins/{name:path}/stats", response_class=Response, responses=told)
        one(self.get_stats)
        router.get("/stats", response_class=Response, responses=told)(self.get_all_stats)

    async def list_processes(
        self,
        name: str,
        ps_args: Annotated[str, Query(description="what `ps` is called with")] = "-ef",
    ) -> models.Processes:
        """List a plugin's processes with the host's `ps`."""
        table = await self.look.processes(name, ps_args or "-ef")
        return models.Processes(titles=table.titles, processes=table.processes)

    async def get_stats(
        self,
        name: str,
        stream: GoOn = True,  # noqa: FBT002 - a parameter of the query
        one_shot: OneShot = False,  # noqa: FBT002 - a parameter of the query
    ) -> Response:
        """Tell what a plugin uses, as Docker's stats objects."""
        return _answer(await self.look.stats(name), _rounds(stream=stream, one_shot=one_shot))

    async def get_all_stats(
        self,
        stream: GoOn = True,  # noqa: FBT002 - a parameter of the query
        one_shot: OneShot = False,  # noqa: FBT002 - a parameter of the query
    ) -> Response:
        """Tell what all enabled plugins use: each second a list of Docker's stats objects."""
        return _answer(await self.look.all_stats(), _rounds(stream=stream, one_shot=one_shot))


def _rounds(*, stream: bool, one_shot: bool) -> int:
    if stream:
        return _FOR_EVER
    return 1 if one_shot else _WITH_RATE


def _answer(looks: AsyncGenerator[Any, None], rounds: int) -> Response:
    return StreamResponse(Stream(chunks=_written(looks, rounds)))


async def _written(looks: AsyncGenerator[Any, None], rounds: int) -> AsyncGenerator[bytes, None]:
    """Yield each look, or only the last of so many rounds."""
    count = 0
    last: Any = None
    async with aclosing(looks):
        async for last in looks:
            count += 1
            if rounds == _FOR_EVER:
                yield docker_json.encode(last)
            elif count == rounds:
                break
    if rounds != _FOR_EVER:
        yield docker_json.encode(last)
