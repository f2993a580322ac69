"""ports.Content: the store's blobs on disk, read only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from shared import errdefs
from shared.oci.digest import Digest

_PIECE: Final = 1 << 20


class DiskContent:
    """Blobs by digest, below the content store's folder."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs" / "sha256"

    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob; None where it is missing."""
        try:
            return (self._blobs / digest.hex).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob; raises NotFound."""
        try:
            return (self._blobs / digest.hex).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise errdefs.NotFound(
                f"blob {digest} is missing from the content store", detail={"digest": digest}
            ) from error

    async def read(self, digest: Digest) -> bytes:
        """Return a small blob; raises NotFound."""
        with self.open(digest) as blob:
            return await asyncio.to_thread(blob.read)

    async def stream(self, digest: Digest, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield a blob's bytes from *start* up to *end* in big pieces; raises NotFound."""
        with self.open(digest) as blob:
            blob.seek(start)
            left = end - start
            while left and (piece := await asyncio.to_thread(blob.read, min(_PIECE, left))):
                left -= len(piece)
                yield piece
