"""Blobs while they are downloaded."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.pull.adapters.ingest import FileIngest
from shared import errdefs
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of

DATA = bytes(range(256)) * 20_000
BLOB = Descriptor(media_type="x", digest=digest_of(DATA), size=len(DATA))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


@pytest.fixture
async def ingest(tmp_path: Path, threads: ThreadPoolExecutor) -> AsyncIterator[FileIngest]:
    made = FileIngest(tmp_path / "ingest-1", BLOB, threads)
    yield made
    await made.close()
    assert list(tmp_path.iterdir()) == []


def _read_all(ingest: FileIngest) -> bytes:
    reader = ingest.reader()
    try:
        return b"".join(iter(lambda: reader.read(100_000), b""))
    finally:
        reader.close()


async def test_what_is_written_is_verified_and_on_disk(ingest: FileIngest, tmp_path: Path) -> None:
    """All pieces, in their order."""
    for start in range(0, len(DATA), 77_777):
        await ingest.write(DATA[start : start + 77_777])
    await ingest.finish()
    assert (tmp_path / ingest.name).read_bytes() == DATA


async def test_it_is_read_while_it_grows(ingest: FileIngest) -> None:
    """A thread gets each byte once, and the end only when there is one."""
    reading = asyncio.create_task(asyncio.to_thread(_read_all, ingest))
    for start in range(0, len(DATA), 1 << 20):
        await ingest.write(DATA[start : start + (1 << 20)])
    assert not reading.done()
    await ingest.finish()
    assert hashlib.sha256(await reading).hexdigest() == BLOB.digest.hex


async def test_a_reader_outlives_the_file(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """What was opened can be read to its end after the store has taken the file."""
    ingest = FileIngest(tmp_path / "ingest-1", BLOB, threads)
    await ingest.write(DATA)
    await ingest.finish()
    reader = ingest.reader()
    (tmp_path / "ingest-1").rename(tmp_path / "blob")
    await ingest.close()
    assert reader.read(len(DATA)) == DATA
    assert reader.read(1) == b""
    reader.close()
    assert (tmp_path / "blob").read_bytes() == DATA


@pytest.mark.parametrize("how", ["fail", "close"])
async def test_a_reader_that_waits_hears_of_the_end(
    tmp_path: Path, threads: ThreadPoolExecutor, how: str
) -> None:
    """A download that ends early never leaves a thread behind."""
    ingest = FileIngest(tmp_path / "ingest-1", BLOB, threads)
    failed: list[BaseException] = []
    began = threading.Event()

    def read() -> None:
        reader = ingest.reader()
        began.set()
        try:
            reader.read(1)
        except errdefs.Unavailable as error:
            failed.append(error)
        finally:
            reader.close()

    reading = asyncio.create_task(asyncio.to_thread(read))
    await asyncio.to_thread(began.wait)
    if how == "fail":
        ingest.fail(OSError("broke"))
    await ingest.close()
    await reading
    assert [error.message for error in map(_ours, failed)] == ["the layer was not downloaded"]


def _ours(error: BaseException) -> errdefs.Error:
    assert isinstance(error, errdefs.Error)
    return error


async def test_wrong_bytes_never_verify(ingest: FileIngest) -> None:
    """And whoever read along is not told that it was whole."""
    await ingest.write(bytes(len(DATA)))
    with pytest.raises(errdefs.InvalidArgument, match="unexpected commit digest"):
        await ingest.finish()


async def test_too_many_bytes_are_refused_as_they_come(ingest: FileIngest) -> None:
    """A registry can't fill the disk with more than it promised."""
    await ingest.write(DATA)
    with pytest.raises(errdefs.InvalidArgument, match="unexpected commit size"):
        await ingest.write(b"x")


async def test_too_few_bytes_never_verify(ingest: FileIngest) -> None:
    """A blob is whole or it is none."""
    await ingest.write(DATA[:-1])
    with pytest.raises(errdefs.InvalidArgument, match="unexpected commit size"):
        await ingest.finish()


async def test_memory_does_not_grow_with_the_blob(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    """At most two batches are held: the one that is written, and the one that arrives."""
    size = 40 << 20
    blob = Descriptor(media_type="x", digest=Digest("sha256:" + "0" * 64), size=size)
    ingest = FileIngest(tmp_path / "ingest-1", blob, threads)
    held = 0
    for _ in range(size >> 18):
        await ingest.write(bytes(1 << 18))
        held = max(held, ingest._batched)
    assert held <= 1 << 20
    await ingest.close()
