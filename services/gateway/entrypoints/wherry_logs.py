"""A plugin's output in /wherry/v1: its last lines, or all of it as it is written."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse, Response

from services.gateway.domain.event_time import Window
from services.gateway.entrypoints import wherry_models as models
from services.gateway.entrypoints.http import Stream
from services.gateway.entrypoints.wherry_stream import JSON_LINES, StreamResponse
from services.gateway.service.logs import PluginLogs
from shared import errdefs

_DEFAULT_TAIL: Final = 100
_LONGEST_TAIL: Final = 10_000

Seconds = Annotated[str, Query(description="Unix seconds, with an optional fraction")]
Tail = Annotated[
    str, Query(pattern=r"^(all|\d{1,9})?$", description="only so many last lines; or `all`")
]
Follow = Annotated[bool, Query(description="go on with what is written, over restarts")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExtension:
    """The handlers, and what they need."""

    logs: PluginLogs

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        answers: dict[int | str, dict[str, Any]] = {
            200: {"model": models.Logs, "content": {JSON_LINES: {}}}
        }
        path = "/plugins/{name:path}/logs"
        router.get(path, response_class=Response, responses=answers)(self.read_logs)

    async def read_logs(
        self,
        name: str,
        since: Seconds = "",
        until: Seconds = "",
        tail: Tail = "",
        follow: Follow = False,  # noqa: FBT002 - a parameter of the query
        accept: Annotated[str, Header()] = "",
    ) -> Response:
        """Show a plugin's output: its last lines, or lines of JSON to who accepts or follows them.

        Output of its last containers that ended is there, too; the entries tell where one began
        and how it ended.
        """
        window = Window.parse(since, until)
        if follow or JSON_LINES in accept:
            entries = await self.logs.open(
                name,
                since_ns=window.since_ns,
                until_ns=window.until_ns,
                tail=int(tail) if tail.isdecimal() else None,
                follow=follow,
            )
            return StreamResponse(
                Stream(chunks=_or_problem(entries), content_type=JSON_LINES.encode())
            )
        wanted = int(tail) if tail.isdecimal() else _LONGEST_TAIL if tail else _DEFAULT_TAIL
        lines = await self.logs.last(
            name,
            since_ns=window.since_ns,
            until_ns=window.until_ns,
            tail=min(wanted, _LONGEST_TAIL),
        )
        return JSONResponse(models.Logs(lines=lines).model_dump(mode="json"))


async def _or_problem(entries: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield the entries, and why there are no more if that is not the end."""
    try:
        async for entry in entries:
            yield entry
    except errdefs.Error as error:
        problem = models.Problem(code=error.code, message=error.message, detail=error.detail)
        yield models.ProblemLine(problem=problem).model_dump_json().encode() + b"\n"
    finally:
        await entries.aclose()
