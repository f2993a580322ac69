"""ports.Content: the store's blobs on disk, read only."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Final

from shared import errdefs
from shared.oci.digest import Digest

_PIECE: Final = 1 << 20


class OpenBlob:
    """A blob that stays readable when it is collected meanwhile."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield its bytes in big pieces."""
        offset = 0
        while piece := await asyncio.to_thread(os.pread, self._fd, _PIECE, offset):
            offset += len(piece)
            yield piece

    async def whole(self) -> bytes:
        """Return a small one."""
        return await asyncio.to_thread(os.pread, self._fd, self.size, 0)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


class DiskContent:
    """Blobs by digest, below the content store's folder."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs" / "sha256"

    @contextlib.contextmanager
    def open(self, digests: tuple[Digest, ...]) -> Iterator[dict[Digest, OpenBlob]]:
        """Hold blobs open; raises NotFound for one that is missing."""
        with contextlib.ExitStack() as stack:
            found: dict[Digest, OpenBlob] = {}
            for digest in digests:
                try:
                    fd = os.open(self._blobs / digest.hex, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError as error:
                    raise errdefs.NotFound(
                        f"blob {digest} is missing from the content store",
                        detail={"digest": digest},
                    ) from error
                found[digest] = OpenBlob(fd)
                stack.callback(found[digest].close)
            yield found
