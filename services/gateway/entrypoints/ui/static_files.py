"""The console's own files: named by their content, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from services.gateway.entrypoints.http import Response
from shared import errdefs

_PREFIX: Final = "/ui/static"
_TYPES: Final = {
    "console.css": b"text/css; charset=utf-8",
    "console.js": b"text/javascript; charset=utf-8",
    "icon.svg": b"image/svg+xml",
    "idiomorph.min.js": b"text/javascript; charset=utf-8",
}
_FOR_EVER: Final = (b"cache-control", b"public, max-age=31536000, immutable")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """A file and the digest that its address carries."""

    body: bytes
    digest: str


@cache
def load(name: str) -> StaticFile:
    """Return a file; raises NotFound."""
    if name not in _TYPES:
        raise errdefs.NotFound("page not found")
    body = (resources.files(__package__) / "static" / name).read_bytes()
    return StaticFile(body=body, digest=hashlib.sha256(body).hexdigest()[:16])


def address(name: str) -> str:
    """Return where a file is served."""
    return f"{_PREFIX}/{load(name).digest}/{name}"


def answer(digest: str, name: str) -> Response:
    """Return a file; raises NotFound for another version than ours."""
    found = load(name)
    if found.digest != digest:
        raise errdefs.NotFound("page not found")
    return Response(body=found.body, content_type=_TYPES[name], headers=(_FOR_EVER,))
