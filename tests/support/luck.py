"""What befalls jobs at their steps, and what has to be true of them afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from shared.contracts.job import CancelJob, JobEnded
from shared.contracts.plugin import Plugin
from shared.oci.digest import Digest
from tests.support.fault_schedule import Event
from tests.support.plugin_image import FakeImage
from tests.support.whole_pull import WholePull


class Luck:
    """Counts the steps of all jobs, and lets happen at them what a schedule says."""

    def __init__(self, node: WholePull, events: tuple[Event, ...], *, job_id: str) -> None:
        self._node = node
        self._due = list(events)
        self._job_id = job_id
        self._steps = 0
        self._happening: set[asyncio.Task[None]] = set()

    def step(self) -> None:
        """Count a step."""
        self._steps += 1
        for event in self._due:
            if event.kind != "lost" and event.step <= self._steps:
                self._due.remove(event)
                self._happening.add(asyncio.create_task(self._happen(event)))
                return

    def lose(self) -> bool:
        """Count a step at the store; say whether its answer is lost."""
        self.step()
        for event in self._due:
            if event.kind == "lost" and event.step <= self._steps:
                self._due.remove(event)
                return True
        return False

    async def settle(self) -> None:
        """Wait until all has happened, and nothing more does."""
        self._due.clear()
        await asyncio.gather(*self._happening)

    async def _happen(self, event: Event) -> None:
        match event.kind:
            case "cancel":
                await self._node.ask(CancelJob(job_id=self._job_id))
            case "stop":
                self._node.dismiss()
                self._node.hire()
            case "late":
                self._node.hire()
                await self._node.outlast_leases()


def survive(schedule: object, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the story of one schedule; it may leave no file and no connection open."""
    before = _open_files()
    try:
        asyncio.run(_heard(story()))
        assert _open_files() <= before, "files or connections are left open"
    except BaseException as error:
        error.add_note(f"to have it again: @example({schedule!r})")
        raise


async def _heard(story: Awaitable[None]) -> None:
    """Fail for what went wrong in a task that nobody waited for, too."""
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: unheard.append(fault))
    await story
    assert unheard == []


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def check_end(node: WholePull, job_id: str) -> None:
    """Check that who followed the job was told how it ended; a failure has words.

    A worker that is stopped may have ended the job and not told of it: its followers ask the store.
    """
    error = node.record(job_id).job.error
    finals = node.progress[job_id].finals
    assert finals or node.is_understaffed
    for told in finals[:1]:
        assert isinstance(told, JobEnded)
        assert told.error == error
    if error is not None:
        assert error["message"]
        assert error["code"] not in ("internal", "unknown"), error


async def check_database(node: WholePull) -> None:
    """Check that what was committed is what is shown, and no job has anything in hand."""
    loaded = await node.records.load()
    assert {one.plugin_id: one for one in loaded.plugins} == {
        one.plugin_id: one for one in node.inventory.all()
    }
    assert {one.job.job_id: one for one in loaded.jobs} == {
        one.job.job_id: one for one in node.inventory.jobs()
    }
    assert not [record for record in loaded.jobs if record.is_live or record.blobs]
    for fault in node.calls.faults:
        raise fault


def check_plugin(node: WholePull, plugin: Plugin, image: FakeImage) -> dict[str, bytes]:
    """Check that a plugin is the image, byte for byte; return the blobs that it needs."""
    assert node.files(f"plugins/{plugin.plugin_id}/{plugin.rootfs}") == image.files
    assert plugin.manifest_digest == image.digest
    assert [node.blob(one) for one in plugin.layer_digests] == list(image.layers)
    assert node.blob(plugin.config_digest) == image.config
    return {Digest(digest).hex: body for digest, body in image.blobs.items()}


def check_disk(node: WholePull, blobs: dict[str, bytes]) -> None:
    """Check that *blobs*, and the folders of the plugins that there are, are all there is."""
    plugins = {plugin.plugin_id for plugin in node.inventory.all()}
    assert {path.name for path in (node.root / "plugins").iterdir()} == plugins
    assert node.files("content/blobs/sha256") == blobs
    assert list((node.root / "work").iterdir()) == []
    assert node.files("content/ingest") == {}
