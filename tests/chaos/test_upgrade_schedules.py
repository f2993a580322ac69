"""Upgrades under any bad luck: wholly the new plugin, or wholly the old one, and nothing left.

WHERRY_EXAMPLES says how many schedules are tried, as for pulls (``test_pull_schedules``).
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from hypothesis import example, given
from hypothesis import strategies as st

from shared.contracts.job import JobKind, JobState
from tests.support.fault_schedule import ANSWERS, Event, Schedule, ScriptedRegistry
from tests.support.fault_strategies import EVENTS, FAULTS, PLUGINS, examples
from tests.support.luck import Luck, check_database, check_disk, check_end, check_plugin, survive
from tests.support.whole_pull import WholePull, whole_pull

_OLD, _NEW = 0, 1
_NAME = "p:latest"
_UPGRADES = st.builds(
    Schedule,
    layers=PLUGINS,
    second=PLUGINS,
    needs_token=st.booleans(),
    names_diff_ids=st.booleans(),
    faults=st.dictionaries(
        st.tuples(st.just(_NEW), st.sampled_from(ANSWERS)),
        st.lists(st.one_of(st.none(), FAULTS), min_size=1, max_size=3).map(tuple),
        max_size=3,
    ),
    events=EVENTS,
)
#: Answers of the store to one of the last steps are lost, while another worker takes the job.
_TAKEN_AT_THE_END = Schedule(layers=(0,), second=(1,), events=(Event("lost", 9), Event("late", 9)))


@given(_UPGRADES)
@example(_TAKEN_AT_THE_END)
@examples(15)
def test_an_upgrade_is_whole_or_changes_nothing(schedule: Schedule) -> None:
    """The plugin is the new one byte for byte, or still the old one; the next upgrade succeeds."""
    survive(schedule, lambda: _try(schedule))


async def _try(schedule: Schedule) -> None:
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(ScriptedRegistry(schedule))
        node = await stack.enter_async_context(whole_pull())
        registry.serve()
        await node.begin("install", _NAME, registry.remote(_OLD))
        assert await _ended(node, schedule, "install", _OLD) == _OLD
        luck = Luck(node, schedule.events, job_id="first")
        node.calls.on_step = luck.lose
        registry.on_step = luck.step
        await node.begin("first", _NAME, registry.remote(_NEW), JobKind.UPGRADE)
        version = await _ended(node, schedule, "first", _NEW)
        await luck.settle()
        node.calls.on_step = lambda: False
        registry.heal()
        if version == _OLD:
            await node.begin("again", _NAME, registry.remote(_NEW), JobKind.UPGRADE)
            assert await _ended(node, schedule, "again", _NEW) == _NEW


async def _ended(node: WholePull, schedule: Schedule, job_id: str, wanted: int) -> int:
    """Wait for the end of a job; return which version there is, after looking at all of it."""
    record = await node.ended(job_id)
    await node.idle()
    check_end(node, job_id)
    version = wanted if record.job.state is JobState.DONE else _OLD
    [plugin] = node.inventory.all()
    check_disk(node, check_plugin(node, plugin, schedule.images[version]))
    await check_database(node)
    return version
