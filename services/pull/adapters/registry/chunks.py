"""A big blob's upload in chunks (OCI distribution, "Pushing a blob in chunks").

The registry says after each chunk, and when asked, which bytes it has; so a break costs one chunk.
"""

from __future__ import annotations

import re

import httpx

from services.pull.adapters.registry.call import Answer, Attempts, Call
from services.pull.adapters.registry.upload import Upload
from shared import errdefs

_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")
#: Registries that know no chunks answer the first one so.
_KNOWS_NO_CHUNKS = frozenset({400, 404, 405, 501})


async def send(upload: Upload, location: httpx.URL) -> None:
    """Upload the blob chunk by chunk, going on after a break where the registry says."""
    size, position, furthest, attempts = upload.blob.size, 0, 0, Attempts()
    while position < size:
        call = _patch(upload, location, position)
        answer = await upload.tried(call, attempts)
        if answer is not None and position == 0 and answer.status in _KNOWS_NO_CHUNKS:
            return await upload.put(await upload.begin())
        if answer is None:
            location, had = await _resumed(upload, location)
        elif answer.status in (201, 202, 204):
            location, had = upload.location(answer), _received(answer)
            if had <= position:
                raise _took_nothing(upload, position)
        else:
            raise upload.session.refused(answer.status, answer.body, call)
        # Once more what was lost is no progress: a registry that forgets each time is given up.
        if had > furthest:
            furthest, attempts = had, Attempts()
        position = min(had, size)
    attempts = Attempts()
    while not await upload.is_committed(upload.end(location), attempts):
        pass
    return None


def _patch(upload: Upload, location: httpx.URL, start: int) -> Call:
    end = min(start + upload.session.limits.upload_chunk_bytes, upload.blob.size)
    # Not the Content-Range of RFC 9110: this one has neither unit nor length.
    ranged = ("Content-Range", f"{start}-{end - 1}")
    call = Call(method="PATCH", url=str(location), what=upload.what, headers=(ranged,))
    return upload.with_body(call, start, end)


async def _resumed(upload: Upload, location: httpx.URL) -> tuple[httpx.URL, int]:
    """Ask where to go on; an upload that the registry has forgotten begins anew."""
    call = Call(method="GET", url=str(location), what=upload.what)
    answer = await upload.session.send(call)
    if answer.status not in (200, 204):
        return await upload.begin(), 0
    return upload.location(answer), _received(answer)


def _received(answer: Answer) -> int:
    """Return how many bytes the registry has; it writes ``0-0`` for none, too."""
    found = _RANGE.fullmatch(answer.headers.get("Range", "").strip())
    last = int(found[1]) if found else 0
    return last + 1 if last else 0


def _took_nothing(upload: Upload, position: int) -> errdefs.Unavailable:
    host = upload.session.host
    return errdefs.Unavailable(
        f"{upload.what}: registry {host} took a chunk and still has no more than {position} bytes: "
        "tell its owner",
        detail={"registry": host, "status": 202},
    )
