"""Lists that come in pages (OCI distribution, "Listing tags"): followed by their Link headers."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from typing import Any, Final

import httpx

from services.pull.adapters.registry.call import Answer, Call
from services.pull.adapters.registry.redirects import BadRedirect, is_same_origin, joined
from services.pull.adapters.registry.session import Session
from shared import errdefs

#: Bytes of a Link header; servers take addresses of 8000 (RFC 9110, section 4.1).
LINK_LIMIT: Final = 8 << 10
# No part of it may run into the next address: it would be searched from each one to the end.
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,<]*?\brel\s*=\s*"?next\b"?', re.IGNORECASE)


async def pages(session: Session, call: Call, *statuses: int) -> AsyncGenerator[Answer, None]:
    """Yield the pages of a list; raises InvalidArgument for one that never ends.

    An answer of another status than 200 and *statuses* is raised as its error.
    """
    seen: set[str] = set()
    while len(seen) < session.limits.pages:
        answer = await session.expect(call, 200, *statuses)
        yield answer
        url = following(answer, call.what)
        if url is None:
            return
        if url in seen:
            break
        seen.add(url)
        call = Call(method="GET", url=url, what=call.what, headers=call.headers)
    raise errdefs.InvalidArgument(
        f"{call.what}: the list of registry {session.host} does not end: tell its owner",
        detail={"registry": session.host, "status": 200},
    )


def following(answer: Answer, what: str) -> str | None:
    """Return the address of the next page; None: this was the last.

    Raises InvalidArgument for a Link that is too long, or no address of a web server.
    """
    for value in answer.headers.get_list("Link"):
        if len(value) > LINK_LIMIT:
            raise errdefs.InvalidArgument(
                f"{what}: {answer.url.host} sent a Link of {len(value)} bytes"
            )
        if found := _NEXT.search(value):
            return _on_same_server(answer.url, found[1], what)
    return None


def _on_same_server(base: httpx.URL, link: str, what: str) -> str | None:
    """Return an address; None for another server's: a list is no way to send our login there."""
    try:
        url = joined(base, link)
    except BadRedirect as error:
        raise errdefs.InvalidArgument(
            f"{what}: {base.host} sent a Link that leads nowhere"
        ) from error
    return str(url) if is_same_origin(url, base) else None


def items(answer: Answer, key: str, what: str) -> list[Any]:
    """Return the list under *key* of a page; null is an empty one."""
    try:
        found = json.loads(answer.body)[key]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise errdefs.InvalidArgument(f"{what}: {answer.url.host} sent no list of {key}") from error
    return found if isinstance(found, list) else []


async def tags(session: Session, path: str) -> list[str]:
    """Return all tags of a repository, in the registry's order."""
    call = Call(method="GET", url=f"/v2/{path}/tags/list", what=f"tags of {path}")
    found: list[str] = []
    async for answer in pages(session, call):
        found += (tag for tag in items(answer, "tags", call.what) if isinstance(tag, str))
    return found
