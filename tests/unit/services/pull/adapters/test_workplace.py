"""A job's folder, and the threads that work in it."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.pull.adapters.workplace import DiskWorkplace, DiskWorkplaces
from shared import errdefs
from tests.support.plugin_image import tar


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[DiskWorkplace]:
    made = DiskWorkplaces(tmp_path, jobs=1)
    yield made.of("job-1", 3)
    made.close()


class Endless:
    """A layer that goes on until it is closed, and tells that it is read."""

    def __init__(self) -> None:
        self.is_read = threading.Event()
        self.is_closed = False
        self._head = tar({"big": bytes(1000)})[:512].replace(b"00000001750", b"77777777777")

    def read(self, size: int, /) -> bytes:
        """Return more."""
        assert not self.is_closed
        self.is_read.set()
        return bytes(size)

    def close(self) -> None:
        """Note that nobody reads any more."""
        self.is_closed = True


async def test_a_cancelled_unpacking_ends_its_thread(workplace: DiskWorkplace) -> None:
    """When it returns nothing writes to the folder any more, and the layer is closed."""
    await workplace.clear()
    layer = Endless()
    unpacking = asyncio.create_task(workplace.unpack(layer, lambda _count: None))
    await asyncio.to_thread(layer.is_read.wait)
    unpacking.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await unpacking
    assert layer.is_closed


async def test_one_that_waits_for_a_thread_is_cancelled_at_once(
    workplace: DiskWorkplace,
) -> None:
    """A queue is no reason to stay."""
    await workplace.clear()
    first, second = Endless(), Endless()
    holding = asyncio.create_task(workplace.unpack(first, lambda _count: None))
    await asyncio.to_thread(first.is_read.wait)
    waiting = asyncio.create_task(workplace.unpack(second, lambda _count: None))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert second.is_closed
    assert not second.is_read.is_set()
    assert not holding.done()
    holding.cancel()
    await asyncio.wait([holding])


async def test_layers_lie_over_one_another_and_are_staged_at_the_end(
    workplace: DiskWorkplace,
) -> None:
    """Until then the store finds nothing where it looks."""
    await workplace.clear()
    told: list[int] = []
    for files in ({"a": b"1", "b": b"1"}, {"b": b"2"}):
        await workplace.unpack(io.BytesIO(tar(files)), told.append)
    assert not (workplace.folder / "rootfs").exists()
    await workplace.stage()
    assert (workplace.folder / "rootfs" / "b").read_bytes() == b"2"
    assert (workplace.folder / "rootfs").stat().st_mode & 0o777 == 0o755
    assert len(tar({"b": b"2"})) in told


async def test_an_attempt_that_lost_its_job_stages_nothing(
    tmp_path: Path, workplace: DiskWorkplace
) -> None:
    """The next attempt clears the folder first, so a late one finds nothing to stage."""
    await workplace.clear()
    await workplace.unpack(io.BytesIO(tar({"a": b"late"})), lambda _count: None)
    places = DiskWorkplaces(tmp_path, jobs=1)
    await places.of("job-1", 4).clear()
    with pytest.raises(errdefs.Conflict, match="taken from this worker"):
        await workplace.stage()
    assert [path.name for path in workplace.folder.iterdir()] == ["rootfs-4"]
    places.close()


async def test_what_an_attempt_unpacked_can_be_given_up(workplace: DiskWorkplace) -> None:
    """All that it unpacked goes, what was staged before stays; twice is as good as once."""
    await workplace.clear()
    await workplace.unpack(io.BytesIO(tar({"a": b"1"})), lambda _count: None)
    await workplace.stage()
    staged = await asyncio.to_thread(lambda: list(workplace.folder.rglob("*")))
    await workplace.abandon()
    assert await asyncio.to_thread(lambda: list(workplace.folder.rglob("*"))) == staged

    await workplace.clear()
    await workplace.unpack(io.BytesIO(tar({"deep/down/a": b"1"})), lambda _count: None)
    for _ in range(2):
        await workplace.abandon()
        assert await asyncio.to_thread(lambda: list(workplace.folder.iterdir())) == []


async def test_clearing_that_is_cancelled_is_done_when_it_ends(workplace: DiskWorkplace) -> None:
    """No thread makes the folder anew once whoever cancelled has deleted it."""
    clearing = asyncio.create_task(workplace.clear())
    await asyncio.sleep(0)
    clearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await clearing
    assert workplace.folder.is_dir()
    for _ in range(2):
        await workplace.discard()
        assert not workplace.folder.exists()


async def test_the_file_that_a_layer_leads_out_with_is_refused(workplace: DiskWorkplace) -> None:
    """The registry's word is worth no more than anybody's."""
    await workplace.clear()
    with pytest.raises(errdefs.InvalidArgument, match="outside of the root"):
        await workplace.unpack(io.BytesIO(tar({"../evil": b"x"})), lambda _count: None)
    assert not (workplace.folder.parent / "evil").exists()


@pytest.mark.parametrize("job_id", ["", ".", "..", "a/b", "/etc", "../x"])
def test_an_id_that_is_no_name_is_refused(tmp_path: Path, job_id: str) -> None:
    """It would lead out of the folder of jobs."""
    places = DiskWorkplaces(tmp_path, jobs=1)
    with pytest.raises(errdefs.InvalidArgument, match="job's id"):
        places.of(job_id, 1)
    places.close()
