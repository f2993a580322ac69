"""Downloads and unpacking onto a disk that is full."""

from __future__ import annotations

import io
import os

import pytest

from services.pull.adapters.ingest import FileIngest
from services.pull.adapters.workplace import DiskWorkplaces
from shared import errdefs
from shared.oci.descriptor import Descriptor
from shared.oci.digest import digest_of
from tests.support.plugin_image import tar
from tests.support.small_disk import small_disk

DATA = os.urandom(3 << 20)


async def _fill(ingest: FileIngest) -> None:
    await ingest.write(DATA)
    await ingest.finish()


@pytest.mark.root
async def test_a_full_disk_is_named_and_nothing_is_left_of_the_download() -> None:
    """The error says which disk; what was written is gone with the ingest."""
    blob = Descriptor(media_type="x", digest=digest_of(DATA), size=len(DATA))
    with small_disk("1m") as disk:
        places = DiskWorkplaces(disk.path, jobs=1)
        workplace = places.of("job-1", 1)
        await workplace.clear()
        async with workplace.ingest(blob) as ingest:
            with pytest.raises(errdefs.ResourceExhausted, match=r"is full: free some room"):
                await _fill(ingest)
        assert [path.name for path in workplace.folder.iterdir()] == ["rootfs-1"]
        with pytest.raises(errdefs.ResourceExhausted, match="big"):
            await workplace.unpack(io.BytesIO(tar({"big": DATA})), lambda _count: None)
        places.close()
