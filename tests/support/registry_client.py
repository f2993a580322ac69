"""A registry client whose pauses take no time, and what it is given to push."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.repository import Repository
from services.pull.adapters.registry.settings import Hosts, Limits
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import digest_of
from shared.oci.reference import parse

#: No certificates but a test's own.
NOWHERE = Path("/nonexistent")


class Sleeps:
    """Notes how long it was to wait, and goes on at once."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Wait for nothing."""
        self.taken.append(seconds)
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Content in memory that notes from where it was read."""

    body: bytes
    reads: list[tuple[int, int]] = field(default_factory=list)

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield a part of it, in pieces."""
        self.reads.append((start, end))
        for position in range(start, end, 65536):
            yield self.body[position : min(position + 65536, end)]


def new_registry(
    *,
    limits: Limits | None = None,
    hosts: Hosts | None = None,
    env: Mapping[str, str] | None = None,
    sleep: Sleeps | None = None,
) -> Registry:
    """Return a client that waits for nothing."""
    return Registry(
        limits=limits,
        hosts=hosts or Hosts(certificates=NOWHERE),
        env=env,
        sleep=sleep or Sleeps(),
    )


def repository(registry: Registry, name: str, **more: Any) -> Repository:
    """Return the repository of a reference as people write it."""
    return registry.repository(parse(name), **more)


def described(body: bytes, media_type: str = media_types.DOCKER_LAYER_GZIP) -> Descriptor:
    """Return the descriptor of *body*."""
    return Descriptor(media_type=media_type, digest=digest_of(body), size=len(body))


async def whole(repository_: Repository, blob: Descriptor, offset: int = 0) -> bytes:
    """Read a blob to its end."""
    async with aclosing(repository_.blob(blob, offset=offset)) as pieces:
        return b"".join([piece async for piece in pieces])


def plugin_manifest(config: bytes = b"{}", *layers: bytes) -> bytes:
    """Return a plugin's manifest, written in a way that no program of ours would choose."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.DOCKER_MANIFEST,
            "config": described(config, media_types.DOCKER_PLUGIN_CONFIG).model_dump(
                mode="json", exclude_none=True
            ),
            "layers": [
                described(layer).model_dump(mode="json", exclude_none=True) for layer in layers
            ],
        },
        indent=7,
    ).encode()
