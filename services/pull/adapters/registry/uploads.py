"""Blobs on their way up (OCI distribution, "Pushing blobs").

What the registry has is not sent. What another repository of it has is mounted from there. The
rest goes up in one request where it is small, in chunks where it is big.
"""

from __future__ import annotations

from enum import StrEnum

import httpx

from services.pull.adapters.registry import blobs, chunks
from services.pull.adapters.registry.session import Session
from services.pull.adapters.registry.upload import Content, Upload
from shared.oci.descriptor import Descriptor


class Outcome(StrEnum):
    """How a blob came to be in the repository."""

    EXISTED = "existed"
    MOUNTED = "mounted"
    UPLOADED = "uploaded"


async def upload(
    session: Session, path: str, blob: Descriptor, content: Content, *, mount_from: str = ""
) -> Outcome:
    """See to it that the repository holds the blob; *mount_from* is a repository that may.

    Safe to repeat. Raises Unavailable where it broke too often, InvalidArgument where the
    registry finds another digest than the descriptor's.
    """
    if await blobs.exists(session, path, blob.digest):
        return Outcome.EXISTED
    one = Upload(session=session, path=path, blob=blob, content=content)
    location: httpx.URL | None
    if mount_from:
        if (location := await one.mounted(mount_from)) is None:
            return Outcome.MOUNTED
    elif blob.size <= session.limits.upload_at_once_bytes:
        if (location := await one.posted()) is None:
            return Outcome.UPLOADED
    else:
        location = await one.begin()
    if blob.size > session.limits.upload_chunk_bytes:
        await chunks.send(one, location)
    else:
        await one.put(location)
    return Outcome.UPLOADED
