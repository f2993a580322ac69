"""Pulls under any bad luck: whole, or cleanly failed, and then the next one succeeds.

WHERRY_EXAMPLES says how many schedules are tried; a few, always the same, where it is not set.
What fails is printed as a value: give it to ``@example`` to have it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack

from hypothesis import example, given
from hypothesis import strategies as st

from shared.contracts.job import JobState
from tests.support.fault_schedule import ANSWERS, LAYERS, Schedule, ScriptedRegistry
from tests.support.fault_strategies import EVENTS, FAULTS, PLUGINS, examples
from tests.support.luck import Luck, check_database, check_disk, check_end, check_plugin, survive
from tests.support.registry_faults import Fault
from tests.support.whole_pull import WholePull, whole_pull

#: One answer goes wrong, and nobody does anything about it.
_ALONE = st.builds(
    Schedule,
    layers=PLUGINS,
    needs_token=st.just(True),
    names_diff_ids=st.booleans(),
    faults=st.dictionaries(
        st.tuples(st.just(0), st.sampled_from(ANSWERS[:5])),
        st.lists(FAULTS, min_size=1, max_size=2).map(tuple),
        min_size=1,
        max_size=1,
    ),
)
_TOGETHER = st.builds(
    Schedule,
    layers=PLUGINS,
    second=st.one_of(st.just(()), PLUGINS),
    needs_token=st.booleans(),
    names_diff_ids=st.booleans(),
    faults=st.dictionaries(
        st.tuples(st.sampled_from((0, 0, 1)), st.sampled_from(ANSWERS)),
        st.lists(st.one_of(st.none(), FAULTS), min_size=1, max_size=3).map(tuple),
        max_size=5,
    ),
    events=EVENTS,
)
#: What nothing but the layer's digest gives away.
_LIE = Schedule(
    layers=(LAYERS // 2,),
    names_diff_ids=False,
    faults={(0, "0"): (Fault("wrong bytes"),)},
)


@given(st.one_of(_ALONE, _TOGETHER))
@example(_LIE)
@examples(30)
def test_a_pull_is_whole_or_leaves_nothing(schedule: Schedule) -> None:
    """Installed byte for byte, or failed with words and no trace; the next pull succeeds."""
    survive(schedule, lambda: _try(schedule))


async def _try(schedule: Schedule) -> None:
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(ScriptedRegistry(schedule))
        node = await stack.enter_async_context(whole_pull())
        registry.serve()
        luck = Luck(node, schedule.events, job_id="first-0")
        node.calls.on_step = luck.lose
        registry.on_step = luck.step
        missing = await _pull(node, registry, schedule, range(len(schedule.images)), "first")
        await luck.settle()
        node.calls.on_step = lambda: False
        registry.heal()
        assert await _pull(node, registry, schedule, missing, "again") == []


async def _pull(
    node: WholePull,
    registry: ScriptedRegistry,
    schedule: Schedule,
    numbers: Iterable[int],
    when: str,
) -> list[int]:
    """Pull at the same time; return which failed, after looking at all that there is."""
    jobs = {number: f"{when}-{number}" for number in numbers}
    for number, job_id in jobs.items():
        await node.begin(job_id, f"p{number}:latest", registry.remote(number))
    records = {number: await node.ended(job_id) for number, job_id in jobs.items()}
    await node.idle()
    for job_id in jobs.values():
        check_end(node, job_id)
    _check_plugins(node, schedule)
    await check_database(node)
    return [number for number, one in records.items() if one.job.state is JobState.FAILED]


def _check_plugins(node: WholePull, schedule: Schedule) -> None:
    """Check that the plugins that exist are whole, and that nothing but theirs is there."""
    needed: dict[str, bytes] = {}
    for number, image in enumerate(schedule.images):
        for plugin in node.inventory.all():
            if plugin.name == f"p{number}:latest":
                needed |= check_plugin(node, plugin, image)
    check_disk(node, needed)
