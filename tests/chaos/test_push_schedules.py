"""Pushes under any bad luck: the registry has it all, or an error says why, and nothing is left.

WHERRY_EXAMPLES says how many schedules are tried, as for pulls (``test_pull_schedules``).
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from hypothesis import example, given
from hypothesis import strategies as st

from shared.contracts.job import JobKind, JobState
from shared.oci.digest import digest_of
from tests.support.fault_schedule import LAYERS, MOST_LAYERS, Schedule
from tests.support.fault_strategies import EVENTS, FAULTS, PLUGINS, examples
from tests.support.luck import Luck, check_database, check_disk, check_end, check_plugin, survive
from tests.support.plugin_image import FakeImage
from tests.support.push_schedule import ANSWERS, Mishap, PushRegistry, PushSchedule
from tests.support.registry_faults import Fault
from tests.support.whole_pull import WholePull, whole_pull

_BIG = (LAYERS - 1,)
_MISHAPS = st.builds(Mishap, FAULTS, st.booleans())
_PUSHES = st.builds(
    PushSchedule,
    layers=PLUGINS,
    needs_token=st.booleans(),
    mounts=st.booleans(),
    knows_chunks=st.booleans(),
    there=st.frozensets(st.integers(0, MOST_LAYERS)),
    mishaps=st.dictionaries(
        st.sampled_from(ANSWERS),
        st.lists(st.one_of(st.none(), _MISHAPS), min_size=1, max_size=3).map(tuple),
        max_size=4,
    ),
    events=EVENTS,
)
#: A chunk breaks before it is there, and the next one after; the end's answer is lost.
_BROKEN_CHUNKS = PushSchedule(
    layers=_BIG,
    mishaps={
        "chunk": (Mishap(Fault("reset"), is_done=False), Mishap(Fault("reset"), is_done=True)),
        "end": (Mishap(Fault("reset"), is_done=True),),
    },
)
#: The tag is there, but nobody says so, ever.
_UNTOLD = PushSchedule(
    layers=(0,), mishaps={"manifest": (Mishap(Fault("reset"), is_done=True),) * 3}
)
#: The registry says of each blob that it has it, which is not so.
_BLUFF = PushSchedule(
    layers=(0,), mishaps={"exists": (Mishap(Fault("other type"), is_done=False),) * 2}
)
#: The same, and the registry answers as if it had taken the manifest, were it not for its blobs.
_BLUFF_TO_THE_END = PushSchedule(
    layers=(0,),
    mishaps={
        "exists": (Mishap(Fault("other type"), is_done=True),) * 2,
        "manifest": (Mishap(Fault("short"), is_done=False),),
    },
)


@given(_PUSHES)
@example(_BROKEN_CHUNKS)
@example(_UNTOLD)
@example(_BLUFF)
@example(_BLUFF_TO_THE_END)
@examples(20)
def test_a_push_is_whole_or_told_why_not(schedule: PushSchedule) -> None:
    """The registry holds exactly the plugin, or the push failed with words; the next succeeds."""
    survive(schedule, lambda: _try(schedule))


async def _try(schedule: PushSchedule) -> None:
    image = Schedule(layers=schedule.layers).images[0]
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(PushRegistry(schedule))
        node = await stack.enter_async_context(whole_pull())
        registry.serve()
        await node.begin("install", "p:latest", registry.source)
        assert (await node.ended("install")).job.state is JobState.DONE
        luck = Luck(node, schedule.events, job_id="first")
        node.calls.on_step = luck.lose
        registry.on_step = luck.step
        is_done = await _push(node, registry, image, "first")
        await luck.settle()
        node.calls.on_step = lambda: False
        registry.heal()
        assert is_done or await _push(node, registry, image, "again")


async def _push(node: WholePull, registry: PushRegistry, image: FakeImage, job_id: str) -> bool:
    """Push; say whether that succeeded, after looking at both ends."""
    await node.begin(job_id, "p:latest", registry.target, JobKind.PUSH)
    record = await node.ended(job_id)
    await node.idle()
    check_end(node, job_id)
    [plugin] = node.inventory.all()
    check_disk(node, check_plugin(node, plugin, image))
    await check_database(node)
    is_done = record.job.state is JobState.DONE
    needed = {digest_of(blob): blob for blob in (*image.layers, image.config)}
    assert registry.blobs.items() <= needed.items()
    # A push that failed may have gone all the way: only the word of it got lost.
    if is_done or registry.manifests:
        assert registry.manifests == {"1": image.manifest}
        assert registry.blobs == needed
    return is_done
