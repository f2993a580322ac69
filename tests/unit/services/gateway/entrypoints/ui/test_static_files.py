"""The console's files."""

from __future__ import annotations

import hashlib
from importlib import resources

from services.gateway.entrypoints.ui import static_files

#: idiomorph 0.8.0, dist/idiomorph.min.js of its npm package.
_IDIOMORPH = "4cbd535caf7663a51eda9bce6595371c384fc430d54b8d414e29a61167f19f96"


def test_vendored() -> None:
    """The library that is not ours is, byte for byte, the release that the decision names."""
    assert hashlib.sha256(static_files.load("idiomorph.min.js").body).hexdigest() == _IDIOMORPH


def test_small() -> None:
    """All that a browser loads before its first page is live is small."""
    folder = resources.files("services.gateway.entrypoints.ui") / "static"
    assert sum(len(file.read_bytes()) for file in folder.iterdir()) < 60_000
