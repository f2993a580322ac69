"""Plugins that require others: who is started, disabled and stopped when."""

from __future__ import annotations

import asyncio

import pytest

from services.store.domain import requirements
from shared import errdefs
from shared.contracts import executor
from shared.contracts.plugin import Plugin, PluginState, PluginStatus
from shared.contracts.store import DisablePlugin, EnablePlugin, ShutDownNode, SupervisePlugin
from shared.contracts.supervision import Part, Supervision
from shared.oci.plugin_extension import PluginExtension
from tests.support.store import StoreUnderTest, delivery
from tests.support.wait import eventually

READY = PluginStatus(state=PluginState.RUNNING)


def plugin(
    name: str, *requires: str, enabled: bool = True, status: PluginStatus = READY, type_: str = ""
) -> Plugin:
    """Return a plugin that requires others."""
    return Plugin(
        plugin_id=name * 64,
        name=name,
        reference=name,
        enabled=enabled,
        config={"Interface": {"Types": [type_]}} if type_ else {},
        settings={},
        config_digest="",
        manifest_digest="",
        created_at_ns=0,
        supervision=Supervision(requires=requires),
        status=status,
    )


RESTARTING = PluginStatus(state=PluginState.RESTARTING, message="exited with code 1")


@pytest.mark.parametrize(
    ("others", "requirement", "why"),
    [
        ((), "b", "it requires b, which does not exist: install and enable it first"),
        ((plugin("b", enabled=False),), "b", "it requires b, which is disabled: enable it first"),
        (
            (plugin("b", status=RESTARTING),),
            "b",
            "it requires b, which is restarting: exited with code 1",
        ),
        ((plugin("b"),), "b", None),
        (
            (plugin("b"),),
            "capability=authz",
            "it requires capability=authz, which no enabled plugin has: enable one that does",
        ),
        (
            (plugin("b", status=RESTARTING, type_="docker.authz/1.0"),),
            "capability=authz",
            "it requires capability=authz, b is restarting: exited with code 1",
        ),
        ((plugin("b", type_="docker.authz/1.0"),), "capability=authz", None),
    ],
)
def test_what_keeps_a_plugin_from_being_started(
    others: tuple[Plugin, ...], requirement: str, why: str | None
) -> None:
    """What it requires must be enabled and running; the first that is not is told."""
    a = plugin("a", requirement)

    found = requirements.first_unmet(a, [a, *others])

    assert (found and found.why) == why


def test_plugins_that_require_one_another_are_not_waited_for() -> None:
    """Neither could ever start; what is beside the ring is waited for as ever."""
    stopped = PluginStatus()
    a, b = plugin("a", "b", status=stopped), plugin("b", "a", "c", status=stopped)
    c = plugin("c", status=stopped)

    assert requirements.first_unmet(a, [a, b, c]) is None
    found = requirements.first_unmet(b, [a, b, c])
    assert found is not None
    assert found.why == "it requires c, which is stopped"
    assert requirements.cycle(a, [a, b, c]) == ("a", "b", "a")
    assert requirements.cycle(c, [a, b, c]) == ()


def test_stop_order_is_the_reverse_of_the_start_order() -> None:
    """Who requires others goes before them, those in a ring together, and all go."""
    a, b, c = plugin("a", "b"), plugin("b", "capability=authz"), plugin("c", type_="docker.authz/1")
    x, y = plugin("x", "y"), plugin("y", "x")

    levels = [[p.name for p in level] for level in requirements.stop_levels([c, b, a, x, y])]

    assert levels == [["a"], ["b"], ["c"], ["x", "y"]] or levels == [["a"], ["b"], ["c", "x", "y"]]
    assert [one.name for level in requirements.stop_levels([x, y]) for one in level] == ["x", "y"]


def test_plugin_is_needed_by_who_would_lack_it() -> None:
    """Another one that is enabled and has the capability is as good; a name is a name."""
    a = plugin("a", "capability=authz")
    b, c = plugin("b", type_="docker.authz/1.0"), plugin("c", type_="docker.authz/1.0")

    assert requirements.needed_by(b, [a, b, c]) == ()
    assert requirements.needed_by(b, [a, b]) == ("a",)
    assert requirements.needed_by(b, [plugin("d", "b"), b, c]) == ("d",)
    assert requirements.needed_by(b, [plugin("d", "b", enabled=False), b]) == ()


async def pair(store: StoreUnderTest) -> tuple[Plugin, Plugin]:
    """Install a plugin `app` that requires `base`."""
    base = await store.install("base")
    app = await store.install("app", extension=PluginExtension(requires=("base",)))
    return base, app


async def enable(store: StoreUnderTest, name: str) -> None:
    """Enable a plugin."""
    await store.lifecycle.enable(EnablePlugin(name=name), delivery())


async def test_enable_says_what_is_missing() -> None:
    """A plugin whose requirement is disabled is refused at once, and nothing is changed."""
    store = StoreUnderTest()
    _, app = await pair(store)

    with pytest.raises(errdefs.Conflict) as refused:
        await enable(store, "app")

    assert refused.value.message == (
        "plugin app:latest cannot be started: it requires base:latest, which is disabled: enable "
        "it first"
    )
    assert store.now(app).status.state is PluginState.STOPPED
    await enable(store, "base")
    await enable(store, "app")
    assert store.records.actions() == ["enable", "enable"]


async def test_enable_waits_for_what_is_on_its_way() -> None:
    """A requirement that is being restarted is waited for within the time of the request."""
    store = StoreUnderTest()
    base, _ = await pair(store)
    await enable(store, "base")
    store.executor.may_start.clear()
    container_id = store.now(base).status.container_id or ""
    store.executor.end(container_id)
    ended = executor.Exit(exit_code=1, exited_at_ns=0)
    fact = executor.ContainerExited(container_id=container_id, exit=ended)
    await store.supervisor.container_exited(fact, delivery())
    await eventually(lambda: store.now(base).status.state is PluginState.STARTING)

    enabling = asyncio.create_task(enable(store, "app"))
    await eventually(lambda: store.lanes.is_busy(store.inventory.resolve("app").plugin_id))
    store.executor.may_start.set()
    await enabling

    assert store.records.actions() == ["enable", "die", "restart", "enable"]
    await store.close()


async def test_what_is_required_is_disabled_only_by_force() -> None:
    """The refusal names who requires it; with force it goes."""
    store = StoreUnderTest()
    base, _ = await pair(store)
    await enable(store, "base")
    await enable(store, "app")

    with pytest.raises(errdefs.Conflict) as refused:
        await store.lifecycle.disable(DisablePlugin(name="base"), delivery())
    await store.lifecycle.disable(DisablePlugin(name="base", force=True), delivery())

    assert refused.value.message == (
        "plugin base:latest is required by app:latest: disable that first, or use force"
    )
    assert not store.now(base).enabled


async def test_node_starts_plugins_in_order() -> None:
    """After a shutdown, which stops them the other way round, who is required starts first."""
    store = StoreUnderTest()
    base, app = await pair(store)
    await enable(store, "base")
    await enable(store, "app")

    await store.node.shut_down(ShutDownNode(), delivery())
    stops = [
        s.container_id for s in store.executor.sent if isinstance(s, executor.DiscardContainer)
    ]
    store.executor.sent.clear()
    again = await store.restarted()
    await eventually(lambda: again.now(app).status.state is PluginState.RUNNING)
    starts = [s.container_id for s in store.executor.sent if isinstance(s, executor.StartContainer)]

    short = {base.plugin_id[:12]: "base", app.plugin_id[:12]: "app"}
    assert [short[one[:12]] for one in stops] == ["app", "base"]
    assert [short[one[:12]] for one in starts] == ["base", "app"]
    await again.close()


async def test_wished_plugin_whose_requirement_is_gone_waits_and_says_so_once() -> None:
    """It is not started, holds up nobody, and starts as soon as the requirement is ready."""
    store = StoreUnderTest(requires_timeout_s=0.01)
    base, app = await pair(store)
    other = await store.install("other")
    for name in ("base", "app", "other"):
        await enable(store, name)
    await store.lifecycle.disable(DisablePlugin(name="base", force=True), delivery())
    await store.node.shut_down(ShutDownNode(), delivery())

    again = await store.restarted()
    await eventually(lambda: again.now(other).status.state is PluginState.RUNNING)
    await eventually(lambda: "start_failed" in again.records.actions())
    waiting = again.now(app).status
    await enable(again, "base")

    await eventually(lambda: again.now(app).status.state is PluginState.RUNNING)
    assert waiting.state is PluginState.RESTARTING
    assert waiting.message == ("waits: it requires base:latest, which is disabled: enable it first")
    assert again.records.actions().count("start_failed") == 1
    assert again.now(base).enabled
    await again.close()


async def test_ring_is_refused_where_an_operator_would_make_one() -> None:
    """Nobody can require what requires it; the refusal shows the way."""
    store = StoreUnderTest()
    base, _ = await pair(store)
    said = Supervision(requires=("app",))

    with pytest.raises(errdefs.InvalidArgument) as refused:
        await store.supervision.supervise(
            SupervisePlugin(name="base", supervision=said), delivery()
        )

    assert refused.value.message == (
        "plugins cannot require one another: base:latest -> app:latest -> base:latest"
    )
    assert store.now(base).supervised.requires == ()


async def test_ring_of_authors_is_undone_by_an_operator() -> None:
    """Enable shows the ring; to require nothing opens it."""
    store = StoreUnderTest()
    await store.install("a", extension=PluginExtension(requires=("b",)))
    await store.install("b", extension=PluginExtension(requires=("a",)))
    with pytest.raises(errdefs.Conflict, match="they require one another: a:latest -> b:latest"):
        await enable(store, "a")

    nothing = SupervisePlugin(name="a", supervision=Supervision(requires=()))
    await store.supervision.supervise(nothing, delivery())
    await enable(store, "a")
    await enable(store, "b")

    reset = SupervisePlugin(name="a", reset=(Part.REQUIRES,))
    with pytest.raises(errdefs.InvalidArgument):
        await store.supervision.supervise(reset, delivery())


async def test_shutdown_kills_at_its_deadline_and_tries_all() -> None:
    """Past it nobody gets time to end; one that can't be stopped is told when the rest is."""
    store = StoreUnderTest()
    await pair(store)
    await enable(store, "base")
    await enable(store, "app")
    store.executor.sent.clear()
    store.fake_clock.passing_s = 100

    await store.node.shut_down(ShutDownNode(), delivery())

    graces = [s.grace_s for s in store.executor.sent if isinstance(s, executor.DiscardContainer)]
    assert graces == [0.0, 0.0]
    assert store.executor.released
