"""Bodies of requests on their way to the store."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.gateway.adapters.spool import FolderSpool
from shared import errdefs


def _spool(folder: Path, limit: int = 1 << 30) -> FolderSpool:
    spool = FolderSpool(folder / "staging", limit=limit)
    spool.prepare(stale_s=60)
    return spool


async def _chunks(*chunks: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if error is not None:
        raise error


def _left(folder: Path) -> list[Path]:
    return list((folder / "staging").iterdir())


async def test_receive(tmp_path: Path) -> None:
    """The body is in a file that only its owner reads, and that is gone afterwards."""
    body = os.urandom(3 << 20)
    pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]
    async with _spool(tmp_path).receive(_chunks(*pieces)) as path:
        assert path.read_bytes() == body
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert _left(tmp_path) == []


async def test_store_takes_the_file(tmp_path: Path) -> None:
    """The store may have deleted the file already."""
    async with _spool(tmp_path).receive(_chunks(b"x")) as path:
        path.unlink()


async def test_limit(tmp_path: Path) -> None:
    """A body beyond the limit is refused, saying which setting it is, and leaves nothing."""
    with pytest.raises(errdefs.InvalidArgument, match=r"more than 5 bytes.*WHERRY_CONTEXT_LIMIT"):
        async with _spool(tmp_path, limit=5).receive(_chunks(b"abc", b"def")):
            pytest.fail("taken")
    assert _left(tmp_path) == []


async def test_disk_full(tmp_path: Path) -> None:
    """A full disk is named as such, and leaves nothing."""
    chunks = _chunks(b"x", error=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(errdefs.ResourceExhausted, match="no space left"):
        async with _spool(tmp_path).receive(chunks):
            pytest.fail("taken")
    assert _left(tmp_path) == []


async def test_broken_body(tmp_path: Path) -> None:
    """A body that breaks off leaves nothing."""
    with pytest.raises(EOFError):
        async with _spool(tmp_path).receive(_chunks(b"x", error=EOFError())):
            pytest.fail("taken")
    assert _left(tmp_path) == []


async def test_folder_is_gone(tmp_path: Path) -> None:
    """Without its folder the error says where it should be."""
    spool = _spool(tmp_path)
    (tmp_path / "staging").rmdir()
    with pytest.raises(errdefs.Internal, match=r"staging: No such file"):
        async with spool.receive(_chunks(b"x")):
            pytest.fail("taken")


def test_prepare_deletes_what_is_stale(tmp_path: Path) -> None:
    """Files of an earlier run go when nobody can wait for them any more; others stay."""
    _spool(tmp_path)
    staging = tmp_path / "staging"
    old, young, other = (
        staging / "context-old.tar",
        staging / "context-young.tar",
        staging / "other.tar",
    )
    for path in (old, young, other):
        path.write_bytes(b"")
    for path in (old, other):
        os.utime(path, (time.time() - 100, time.time() - 100))
    _spool(tmp_path)
    assert sorted(_left(tmp_path)) == sorted([young, other])
