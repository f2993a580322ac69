"""References: who may hold a plugin, what that forbids, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from services.store.domain.restart import Backoff
from shared import errdefs
from shared.contracts import executor, job
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.reference import GetMode, GetPlugin, GotPlugin, ListReferences, Reference
from shared.contracts.store import Changed, DisablePlugin, EnablePlugin, RemovePlugin
from tests.support.store import CONFIG, StoreUnderTest, delivery
from tests.support.wait import all_have_run, eventually

VOLUME = "volume/data1"
IN_USE = "plugin p:latest is in use"


async def get(store: StoreUnderTest, mode: GetMode, **more: Any) -> GotPlugin:
    """Ask for plugin p as a volume driver."""
    command = GetPlugin(**{"name": "p", "capability": "volumedriver", "mode": mode, **more})
    return await store.references.get(command, delivery())


async def acquire(store: StoreUnderTest, owner: str = VOLUME, ttl_s: int = 60) -> Reference:
    """Hold plugin p."""
    reference = (await get(store, GetMode.ACQUIRE, owner=owner, ttl_s=ttl_s)).reference
    assert reference is not None
    return reference


async def release(store: StoreUnderTest, owner: str = VOLUME) -> None:
    """Hold plugin p no more."""
    await get(store, GetMode.RELEASE, owner=owner, capability="")


async def owners(store: StoreUnderTest) -> list[str]:
    """Return who holds plugin p."""
    listed = await store.references.list(ListReferences(name="p"), delivery())
    return [reference.owner for reference in listed.references]


async def enable(store: StoreUnderTest) -> None:
    """Enable plugin p."""
    await store.lifecycle.enable(EnablePlugin(name="p"), delivery())


async def disable(store: StoreUnderTest, *, force: bool = False) -> Changed:
    """Disable plugin p."""
    return await store.lifecycle.disable(DisablePlugin(name="p", force=force), delivery())


async def remove(store: StoreUnderTest, *, force: bool = False) -> Changed:
    """Remove plugin p."""
    return await store.removal.remove(RemovePlugin(name="p", force=force), delivery())


async def running(store: StoreUnderTest) -> Plugin:
    """Install and enable plugin p."""
    plugin = await store.install()
    await enable(store)
    return plugin


async def refused(work: Awaitable[object]) -> str:
    """Return what a Conflict said."""
    with pytest.raises(errdefs.Conflict) as conflict:
        await work
    return conflict.value.message


async def test_a09_plugin_is_found_by_a_capability_that_it_has() -> None:
    """A volume driver is none of `foobar`, and a `volumedriver` however that is written."""
    store = StoreUnderTest()
    plugin = await running(store)

    with pytest.raises(errdefs.InvalidArgument) as lacking:
        await get(store, GetMode.LOOKUP, capability="FooBar")
    found = await get(store, GetMode.LOOKUP, capability="VolumeDriver")

    assert lacking.value.message == 'plugin does not provide "foobar" capability'
    assert lacking.value.docker_unclassed
    assert found == GotPlugin(plugin=store.now(plugin))
    with pytest.raises(errdefs.NotFound, match='plugin "nothing" not found'):
        await get(store, GetMode.LOOKUP, name="nothing")


async def test_a10_plugin_that_does_not_fit_is_not_held() -> None:
    """Neither a disabled plugin nor one of another capability is held by who asks for it."""
    store = StoreUnderTest()
    await store.install(config_json=CONFIG.replace(b"volumedriver", b"authz"))

    assert await refused(acquire(store)) == "plugin p found but disabled"
    assert await owners(store) == []
    await enable(store)
    with pytest.raises(errdefs.InvalidArgument, match="does not provide"):
        await acquire(store)

    assert await owners(store) == []
    await disable(store)


async def test_prefix_that_is_not_dockers_gives_no_capability() -> None:
    """The type `other.volumedriver` is no volume driver; the version is not looked at."""
    store = StoreUnderTest()
    types = CONFIG.replace(b"docker.volumedriver/1.0", b"other.volumedriver/1.0")
    await store.install(config_json=types)
    await enable(store)

    with pytest.raises(errdefs.InvalidArgument):
        await get(store, GetMode.LOOKUP)


async def test_owner_holds_a_plugin_once() -> None:
    """To acquire again is to renew: one release ends it, and a second one changes nothing."""
    store = StoreUnderTest()
    await running(store)
    first = await acquire(store, ttl_s=60)
    store.fake_clock.advance(30)

    second = await acquire(store, ttl_s=60)

    assert second.since_ns == first.since_ns
    assert second.until_ns == first.until_ns + 30 * 10**9
    assert await owners(store) == [VOLUME]
    await release(store)
    await release(store)
    assert await owners(store) == []
    assert not store.records.leases
    await acquire(store)
    assert await owners(store) == [VOLUME]


async def test_redelivered_acquisition_and_release_change_nothing() -> None:
    """A command that arrives twice leaves what its first arrival made."""
    store = StoreUnderTest()
    await running(store)
    hold = GetPlugin(
        name="p", capability="volumedriver", mode=GetMode.ACQUIRE, owner=VOLUME, ttl_s=9
    )
    let_go = GetPlugin(name="p", mode=GetMode.RELEASE, owner=VOLUME)

    first = await store.references.get(hold, delivery("m1"))
    assert await store.references.get(hold, delivery("m1")) == first
    assert len(store.records.leases) == 1
    for _ in range(2):
        assert (await store.references.get(let_go, delivery("m2"))).reference is None

    assert not store.records.leases


async def test_f03_plugin_in_use_is_neither_disabled_nor_removed() -> None:
    """Disable says `in use` and by whom; after the release disable and remove work."""
    store = StoreUnderTest()
    await running(store)
    await acquire(store)
    await acquire(store, "task/t1")

    with pytest.raises(errdefs.Conflict) as used:
        await disable(store)

    assert used.value.message == IN_USE
    assert used.value.detail == {"plugin": "p:latest", "owners": ["task/t1", VOLUME]}
    await release(store)
    assert await refused(disable(store)) == IN_USE
    await release(store, "task/t1")
    await disable(store)
    await remove(store)


async def test_f04_remove_says_first_that_a_plugin_is_in_use() -> None:
    """Remove says `in use`, and `is enabled` once nobody holds the plugin."""
    store = StoreUnderTest()
    await running(store)
    await acquire(store, "network/n")

    assert await refused(remove(store)) == IN_USE
    await release(store, "network/n")
    assert await refused(remove(store)) == "plugin p:latest is enabled"


async def test_forced_disable_leaves_leases_valid() -> None:
    """D#14: a holder renews and releases its lease on a plugin that was disabled by force."""
    store = StoreUnderTest()
    await running(store)
    await acquire(store)

    await disable(store, force=True)

    assert await refused(disable(store)) == IN_USE  # before "already disabled"
    assert await refused(remove(store)) == IN_USE
    assert await refused(acquire(store, "volume/other")) == "plugin p found but disabled"
    await acquire(store)
    await release(store)
    assert "already disabled" in await refused(disable(store))
    await remove(store)


async def test_forced_remove_drops_leases() -> None:
    """A plugin that takes the name of one removed by force is held by nobody."""
    store = StoreUnderTest()
    await running(store)
    await acquire(store)

    await remove(store, force=True)

    assert not store.records.leases
    with pytest.raises(errdefs.NotFound):
        await release(store)
    await running(store)
    assert await owners(store) == []
    await disable(store)


async def test_upgrade_ignores_leases() -> None:
    """A plugin disabled by force is upgraded while somebody holds it, and is held afterwards."""
    store = StoreUnderTest()
    await running(store)
    await acquire(store)
    await disable(store, force=True)
    wish = job.JobRequest(kind=job.JobKind.UPGRADE, name="p:latest", remote="registry.example/p:v2")

    begun = await store.jobs.begin(job.BeginJob(job_id="j", request=wish), delivery())

    assert begun.job.state is job.JobState.QUEUED
    assert await owners(store) == [VOLUME]
    await acquire(store)


async def test_g08_leases_outlive_the_store() -> None:
    """After a crash of the store the plugin is still in use; the release still works."""
    first = StoreUnderTest()
    await running(first)
    await acquire(first)

    again = await first.restarted()

    assert await refused(disable(again)) == IN_USE
    await release(again)
    await disable(again)
    await remove(again)
    await again.close()


async def test_lease_lasts_as_long_as_it_could_not_be_renewed() -> None:
    """A lease whose time ran out while the store was away has all of it again."""
    first = StoreUnderTest()
    plugin = await running(first)
    lease = await acquire(first, ttl_s=10)
    ended = lease.model_copy(update={"until_ns": 5})
    first.records.leases[plugin.plugin_id, VOLUME] = ended

    again = await first.restarted()

    assert await refused(disable(again)) == IN_USE
    listed = await again.references.list(ListReferences(name="p"), delivery())
    assert listed.references[0].until_ns == again.fake_clock.now_ns + 10 * 10**9
    again.fake_clock.advance(10)
    await disable(again)
    await again.close()


async def test_lease_that_ran_out_counts_no_more() -> None:
    """What is not renewed in time forbids nothing, and its row goes."""
    store = StoreUnderTest()
    await running(store)
    await acquire(store, ttl_s=10)
    await acquire(store, "task/t1", ttl_s=20)

    store.fake_clock.advance(10)
    assert await owners(store) == ["task/t1"]
    await store.references.drop_due()
    assert [lease.owner for lease in store.records.leases.values()] == ["task/t1"]
    store.fake_clock.advance(10)

    await disable(store)


async def test_lease_is_dropped_when_it_is_due() -> None:
    """The store waits for the earliest end, also for one that came later than a later end."""
    store = StoreUnderTest()
    await store.start()
    await running(store)
    await acquire(store, "task/late", ttl_s=3600)
    await asyncio.sleep(0)
    await acquire(store, "task/soon", ttl_s=1)

    store.fake_clock.advance(1)

    await eventually(lambda: len(store.records.leases) == 1)
    assert await owners(store) == ["task/late"]
    await store.close()


async def test_renewal_beside_its_own_end_wins() -> None:
    """A renewal that waits before the end of its lease is handled keeps the lease."""
    store = StoreUnderTest()
    plugin = await running(store)
    await acquire(store, ttl_s=10)
    store.fake_clock.advance(10)

    async with store.lanes.hold(plugin.plugin_id):
        renewing = asyncio.create_task(acquire(store, ttl_s=10))
        await asyncio.sleep(0)
        dropping = asyncio.create_task(store.references.drop_due())
        await asyncio.sleep(0)
    await asyncio.gather(renewing, dropping)

    assert await owners(store) == [VOLUME]
    assert len(store.records.leases) == 1


@pytest.mark.parametrize("first", ["acquire", "disable"])
async def test_of_an_acquisition_beside_a_disable_one_wins(first: str) -> None:
    """Either the plugin is held and enabled, or it is disabled and nobody holds it."""
    store = StoreUnderTest()
    plugin = await running(store)
    works: list[Awaitable[object]] = [acquire(store), disable(store)]
    if first == "disable":
        works.reverse()

    results = await asyncio.gather(*works, return_exceptions=True)

    assert [isinstance(result, errdefs.Conflict) for result in results] == [False, True]
    assert store.now(plugin).enabled == (first == "acquire")
    assert await owners(store) == ([VOLUME] if first == "acquire" else [])


async def test_plugin_that_is_being_stopped_is_not_held() -> None:
    """Between a disable that was decided and its end, which a crash delays, nobody gets in."""
    store = StoreUnderTest()
    plugin = await running(store)
    store.executor.refusals[executor.DiscardContainer] = errdefs.Unavailable("gone")
    async with store.lanes.hold(plugin.plugin_id):
        disabling = asyncio.create_task(disable(store))
        await all_have_run()
        acquiring = asyncio.create_task(acquire(store))
        await all_have_run()
    with pytest.raises(errdefs.Unavailable):
        await disabling

    assert await refused(acquiring) == "plugin p found but disabled"
    assert store.now(plugin).status.state is PluginState.STOPPING
    store.executor.refusals.clear()
    await eventually(lambda: not store.now(plugin).enabled)
    await store.close()


async def test_refused_disable_leaves_a_restart_alone() -> None:
    """A plugin in use that waits for its restart is restarted, though somebody tried to disable."""
    store = StoreUnderTest(backoff=Backoff(first_pause_s=0.05))
    plugin = await running(store)
    await acquire(store)
    store.executor.may_start.clear()
    store.executor.end(store.now(plugin).status.container_id or "")
    store.supervisor.compare_soon()
    await eventually(lambda: store.now(plugin).status.state is PluginState.STARTING)

    assert await refused(disable(store)) == IN_USE

    assert store.now(plugin).status.state is PluginState.STARTING
    store.executor.may_start.set()
    await eventually(lambda: store.now(plugin).status.state is PluginState.RUNNING)
    await store.close()


async def test_plugin_that_a_push_has_in_its_hands_is_held_and_renewed() -> None:
    """A job that changes nothing keeps nobody from counting on the plugin."""
    store = StoreUnderTest()
    await running(store)
    wish = job.JobRequest(kind=job.JobKind.PUSH, name="p:latest", remote="registry.example/p:v1")
    await store.jobs.begin(job.BeginJob(job_id="j", request=wish), delivery())

    await acquire(store)
    await acquire(store)

    assert await owners(store) == [VOLUME]


async def test_lease_that_is_not_on_disk_is_not_acknowledged() -> None:
    """An acquisition that the disk refuses is an error, and nobody holds the plugin."""
    store = StoreUnderTest()
    await running(store)
    store.records.refusal = errdefs.ResourceExhausted("the disk is full")

    with pytest.raises(errdefs.ResourceExhausted):
        await acquire(store)

    assert await owners(store) == []


@pytest.mark.parametrize(
    "owner",
    ["", "volume", "volume/", "pet/x", "volume/a/b", "volume/a\n", "/x", f"user/{'x' * 256}"],
)
async def test_owner_must_say_what_it_is(owner: str) -> None:
    """An owner without a kind, of an unknown one or with a slash in its id is refused."""
    store = StoreUnderTest()
    await running(store)

    for mode in (GetMode.ACQUIRE, GetMode.RELEASE):
        with pytest.raises(errdefs.InvalidArgument, match="must be <kind>/<id>, as in"):
            await get(store, mode, owner=owner, ttl_s=1)


@pytest.mark.parametrize("ttl_s", [0, -1, 604_801])
async def test_lease_has_an_end_within_a_week(ttl_s: int) -> None:
    """A lease without a time, or with too long a one, is refused."""
    store = StoreUnderTest()
    await running(store)

    with pytest.raises(errdefs.InvalidArgument, match=f"ttl_s {ttl_s} is invalid"):
        await acquire(store, "user/Ann's backup", ttl_s)
