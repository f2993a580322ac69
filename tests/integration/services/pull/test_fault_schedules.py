"""Pulls under any bad luck: whole, or cleanly failed, and then the next one succeeds.

WHERRY_EXAMPLES says how many schedules are tried; a few, always the same, where it is not set.
What fails is printed as a value: give it to ``@example`` to have it again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from services.store.domain.job import JobRecord
from shared.contracts.job import CancelJob, JobEnded, JobState
from shared.oci.digest import Digest
from tests.support.fault_schedule import (
    ANSWERS,
    LAYERS,
    MOST_LAYERS,
    Event,
    Schedule,
    ScriptedRegistry,
    files_of,
)
from tests.support.plugin_image import FakeImage
from tests.support.registry_faults import (
    BREAKS,
    CHALLENGES,
    HEADERS,
    LIES,
    LOCATIONS,
    OUTRAGES,
    STATUSES,
    WAITS,
    Fault,
)
from tests.support.whole_pull import WholePull, whole_pull

_EXAMPLES = int(os.environ.get("WHERRY_EXAMPLES", "0"))
_MOST_STEPS = 25
_AT = st.sampled_from((0.0, 0.1, 0.5, 0.9, 1.0))


def _with_header(kind: str, headers: Sequence[str]) -> st.SearchStrategy[Fault]:
    header = st.sampled_from(headers)
    return st.builds(Fault, st.just(kind), st.just(0.0), st.just(0), header)


_REFUSALS = st.builds(
    Fault, st.just("status"), st.just(0.0), st.sampled_from(STATUSES), st.sampled_from(WAITS)
)
_NONSENSE = st.one_of(
    _with_header("challenge", CHALLENGES),
    _with_header("redirect", LOCATIONS),
    _with_header("garbage headers", HEADERS),
)
#: What can be mended comes as often as what can't, and each lie often.
_FAULTS = st.one_of(
    st.builds(Fault, st.sampled_from(BREAKS), _AT),
    st.builds(Fault, st.sampled_from(LIES), _AT),
    st.builds(Fault, st.sampled_from(OUTRAGES), _AT),
    _REFUSALS,
    _NONSENSE,
)
_PLUGIN = st.lists(st.integers(0, LAYERS - 1), min_size=1, max_size=MOST_LAYERS).map(tuple)
#: One answer goes wrong, and nobody does anything about it.
_ALONE = st.builds(
    Schedule,
    layers=_PLUGIN,
    needs_token=st.just(True),
    names_diff_ids=st.booleans(),
    faults=st.dictionaries(
        st.tuples(st.just(0), st.sampled_from(ANSWERS[:5])),
        st.lists(_FAULTS, min_size=1, max_size=2).map(tuple),
        min_size=1,
        max_size=1,
    ),
)
_TOGETHER = st.builds(
    Schedule,
    layers=_PLUGIN,
    second=st.one_of(st.just(()), _PLUGIN),
    needs_token=st.booleans(),
    names_diff_ids=st.booleans(),
    faults=st.dictionaries(
        st.tuples(st.sampled_from((0, 0, 1)), st.sampled_from(ANSWERS)),
        st.lists(st.one_of(st.none(), _FAULTS), min_size=1, max_size=3).map(tuple),
        max_size=5,
    ),
    events=st.lists(
        st.builds(
            Event,
            st.sampled_from(("cancel", "stop", "late", "lost")),
            st.integers(1, _MOST_STEPS),
        ),
        max_size=2,
    ).map(tuple),
)


#: What nothing but the layer's digest gives away.
_LIE = Schedule(
    layers=(LAYERS // 2,),
    names_diff_ids=False,
    faults={(0, "0"): (Fault("wrong bytes"),)},
)


@given(st.one_of(_ALONE, _TOGETHER))
@example(_LIE)
@settings(
    max_examples=_EXAMPLES or 30,
    derandomize=not _EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Threads and sockets never run twice alike, so a smaller schedule that fails proves little.
    phases=(Phase.explicit, Phase.generate),
    print_blob=False,
)
def test_a_pull_is_whole_or_leaves_nothing(schedule: Schedule) -> None:
    """Installed byte for byte, or failed with words and no trace; the next pull succeeds."""
    before = _open_files()
    try:
        asyncio.run(_try(schedule))
        assert _open_files() <= before, "files or connections are left open"
    except BaseException as error:
        error.add_note(f"to have it again: @example({schedule!r})")
        raise


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def _try(schedule: Schedule) -> None:
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(ScriptedRegistry(schedule))
        node = await stack.enter_async_context(whole_pull())
        unheard: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: unheard.append(fault))
        registry.serve()
        luck = _Luck(node, schedule.events)
        node.calls.on_step = luck.lose
        registry.on_step = luck.step
        missing = await _pull(node, registry, schedule, range(len(schedule.images)), "first")
        await luck.settle()
        node.calls.on_step = lambda: False
        registry.heal()
        assert await _pull(node, registry, schedule, missing, "again") == []
        for fault in node.calls.faults:
            raise fault
        assert unheard == []


async def _pull(
    node: WholePull,
    registry: ScriptedRegistry,
    schedule: Schedule,
    numbers: Any,
    when: str,
) -> list[int]:
    """Pull at the same time; return which failed, after looking at all that there is."""
    jobs = {number: f"{when}-{number}" for number in numbers}
    for number, job_id in jobs.items():
        await node.begin(job_id, f"p{number}:latest", registry.remote(number))
    records = {number: await node.ended(job_id) for number, job_id in jobs.items()}
    await node.idle()
    for job_id, record in zip(jobs.values(), records.values(), strict=True):
        _check_end(node, job_id, record)
    _check_disk(node, schedule)
    await _check_database(node)
    return [number for number, one in records.items() if one.job.state is JobState.FAILED]


def _check_end(node: WholePull, job_id: str, record: JobRecord) -> None:
    """Check that who followed the job was told how it ended; a failure has words.

    A worker that is stopped may have ended the job and not told of it: its followers ask the store.
    """
    finals = node.progress[job_id].finals
    assert finals or node.is_understaffed
    for told in finals[:1]:
        assert isinstance(told, JobEnded)
        assert told.error == record.job.error
    if record.job.error is not None:
        assert record.job.error["message"]
        assert record.job.error["code"] not in ("internal", "unknown"), record.job.error


def _check_disk(node: WholePull, schedule: Schedule) -> None:
    """Check that the plugins that exist are whole, and that nothing but theirs is there."""
    needed: dict[str, bytes] = {}
    folders = set()
    chosen = [layers for layers in (schedule.layers, schedule.second) if layers]
    for number, (layers, image) in enumerate(zip(chosen, schedule.images, strict=True)):
        found = [one for one in node.inventory.all() if one.name == f"p{number}:latest"]
        for plugin in found:
            folders.add(plugin.plugin_id)
            assert node.files(f"plugins/{plugin.plugin_id}/{plugin.rootfs}") == files_of(layers)
            assert plugin.manifest_digest == image.digest
            assert [node.blob(one) for one in plugin.layer_digests] == list(image.layers)
            assert node.blob(plugin.config_digest) == image.config
            needed |= _blobs(image)
    assert {path.name for path in (node.root / "plugins").iterdir()} == folders
    assert node.files("content/blobs/sha256") == needed
    assert list((node.root / "work").iterdir()) == []
    assert node.files("content/ingest") == {}


async def _check_database(node: WholePull) -> None:
    """Check that what was committed is what is shown, and no job has anything in hand."""
    loaded = await node.records.load()
    assert {one.plugin_id: one for one in loaded.plugins} == {
        one.plugin_id: one for one in node.inventory.all()
    }
    assert {one.job.job_id: one for one in loaded.jobs} == {
        one.job.job_id: one for one in node.inventory.jobs()
    }
    assert not [record for record in loaded.jobs if record.is_live or record.blobs]


def _blobs(image: FakeImage) -> dict[str, bytes]:
    return {Digest(digest).hex: body for digest, body in image.blobs.items()}


class _Luck:
    """Counts the steps of all pulls, and lets happen at them what the schedule says."""

    def __init__(self, node: WholePull, events: tuple[Event, ...]) -> None:
        self._node = node
        self._due = list(events)
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
                await self._node.ask(CancelJob(job_id="first-0"))
            case "stop":
                self._node.dismiss()
                self._node.hire()
            case "late":
                self._node.hire()
                await self._node.outlast_leases()
