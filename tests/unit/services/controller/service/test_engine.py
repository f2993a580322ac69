"""Batches on nodes in memory: planned, driven, steered, taken up after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from services.controller.domain.row import Kind, Unit
from shared import errdefs
from shared.contracts import batch as contracts
from shared.contracts.batch import Batch, BatchRequest, Selector, Target, UpdateConfig
from shared.contracts.job import BeginJob, JobKind, JobProgress, JobRequest
from shared.contracts.node import Heartbeat
from shared.contracts.store import GetInventory, Inventory
from tests.support.batch import NEW, OLD, FakeStores, installed
from tests.support.controller import ControllerWorld
from tests.support.spans import recorded
from tests.support.wait import eventually

_ALL = Selector(enabled=True)
_NODES = {
    "n1": tuple(installed(f"a{number}") for number in range(4)),
    "n2": tuple(installed(f"b{number}") for number in range(4)),
}


@pytest.fixture
async def world() -> AsyncIterator[ControllerWorld]:
    """Give a controller that has heard of two nodes."""
    async with ControllerWorld("n1") as made:
        for node in ("n1", "n2"):
            await made.ask(Heartbeat(node=node, version="1", seal_key="k"))
        yield made


@pytest.fixture
def stores(world: ControllerWorld) -> FakeStores:
    """Put plugins on the nodes."""
    return FakeStores(world, _NODES)


def _request(**changes: Any) -> BatchRequest:
    update = UpdateConfig(**{"parallelism": 2, "monitor_s": 0, **changes.pop("update", {})})
    wish = {"selector": _ALL, "target": Target(tag="v2"), "update": update, **changes}
    return BatchRequest(**wish)


async def _create(world: ControllerWorld, **changes: Any) -> None:
    await world.ask(contracts.CreateBatch(batch_id="b", request=_request(**changes)))


async def _show(world: ControllerWorld) -> Batch:
    return (await world.ask(contracts.WatchBatch(batch_id="b"))).batch


async def _until(holds: Callable[[], Any]) -> None:
    for _ in range(5000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("did not happen")


def _named(spans: Iterable[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def _id(span: ReadableSpan) -> str:
    assert span.context is not None
    return trace.format_span_id(span.context.span_id)


def _parent(span: ReadableSpan) -> str:
    assert span.parent is not None
    return trace.format_span_id(span.parent.span_id)


async def _settled(world: ControllerWorld, *states: str) -> Batch:
    """Let others run until the batch is in one of these states, with nothing under way."""
    for _ in range(5000):
        shown = await _show(world)
        moving = {"upgrading", "rolling_back"} & set(shown.counts)
        if shown.state in states and not moving:
            return shown
        await asyncio.sleep(0)
    raise AssertionError(f"is {shown.state}: {shown.message}, {shown.counts}")


async def test_all_are_upgraded(world: ControllerWorld, stores: FakeStores) -> None:
    """Each plugin is upgraded once, no more at a time than asked for, after one fetch a node."""
    await _create(world)

    shown = await _settled(world, "completed")

    assert (shown.counts, shown.fetches, shown.is_over) == ({"upgraded": 8}, 2, True)
    assert stores.upgraded() == {one.name for found in _NODES.values() for one in found}
    assert set(stores.upgrades().values()) == {1}
    assert stores.most == 2
    requests = list(stores.requests.values())
    assert [one.kind for one in requests[:2]] == [JobKind.PREFETCH] * 2
    assert {one.pinned_digest for one in requests} == {NEW}
    assert all(one.batch_id == "b" for one in requests)


def _states(world: ControllerWorld) -> list[dict[str, str]]:
    """Return the states of plugins that each commit of a batch's brought, by name."""
    commits = [
        [row.body["planned"] for row in change.rows if row.kind == "batch-plugin" and row.body]
        for change in world.records.published
    ]
    return [{one["name"]: one["state"] for one in planned} for planned in commits if planned]


async def test_the_end_of_one_and_the_beginning_of_the_next_are_one_commit(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """Each turn costs one commit, the first one more; the last is the batch's end, too."""
    await _create(world, selector=Selector(nodes=("n1",)), update={"parallelism": 1})

    await _settled(world, "completed")

    _planned, *turns = _states(world)
    assert turns == [
        {"a0:latest": "upgrading"},
        {"a0:latest": "upgraded", "a1:latest": "upgrading"},
        {"a1:latest": "upgraded", "a2:latest": "upgrading"},
        {"a2:latest": "upgraded", "a3:latest": "upgrading"},
        {"a3:latest": "upgraded"},
    ]
    completed = [
        [row.kind for row in change.rows]
        for change in world.records.published
        if any(row.body and row.body.get("state") == "completed" for row in change.rows)
    ]
    assert completed[0] == ["batch-plugin", "batch"]


async def test_dry_run(world: ControllerWorld, stores: FakeStores) -> None:
    """The plan is made and kept, and nothing is begun."""
    await _create(world, dry_run=True)

    await _settled(world, "planned")

    changes = await world.ask(contracts.WatchBatch(batch_id="b"))
    assert {(one.plugin.from_digest, one.plugin.to_digest) for one in changes.plugins} == {
        (OLD, NEW)
    }
    assert not stores.begun


async def test_nothing_selected(world: ControllerWorld, stores: FakeStores) -> None:
    """A batch without plugins fails, and says so."""
    await _create(world, selector=Selector(names=("nobody",)))

    shown = await _settled(world, "failed")

    assert "no plugin is selected" in shown.message
    assert not stores.begun


async def test_a_name_that_nothing_has(world: ControllerWorld, stores: FakeStores) -> None:
    """The others are upgraded, and the plan says what was not found."""
    await _create(world, selector=Selector(names=("a1", "nobody")))

    shown = await _settled(world, "completed")

    assert shown.counts == {"upgraded": 1}
    assert shown.warnings == ("no plugin is called nobody on the nodes that were asked",)


async def test_plans_push_out_no_upgrade(world: ControllerWorld, stores: FakeStores) -> None:
    """However many plans follow, what was upgraded can still be put back."""
    await _create(world)
    await _settled(world, "completed")

    for number in range(25):
        plan = _request(dry_run=True)
        await world.ask(contracts.CreateBatch(batch_id=f"d{number}", request=plan))
        await _until(partial(_is_planned, world, f"d{number}"))
    await _until(lambda: ("batch", "d4") not in world.records.rows)

    await world.ask(contracts.RollBackBatch(batch_id="b"))
    await _settled(world, "rollback_completed")


def _is_planned(world: ControllerWorld, batch_id: str) -> bool:
    row = world.records.rows["batch", batch_id]
    return row.body is not None and row.body["state"] == "planned"


async def test_a_node_that_is_away_is_left_out(world: ControllerWorld, stores: FakeStores) -> None:
    """The plan says which nodes are not in it."""
    await world.ask(Heartbeat(node="n3", version="1"))
    await _create(world)

    shown = await _settled(world, "completed")

    (warning,) = shown.warnings
    assert "node n3 is left out" in warning


async def test_plugins_of_services_are_left_out(world: ControllerWorld, stores: FakeStores) -> None:
    """A service would undo what a batch does to its plugin: that is upgraded by the service."""
    owned = installed("a0", swarm_service_id="s1")
    stores.plugins["n1"][owned.name] = owned
    await _create(world)

    shown = await _settled(world, "completed")

    assert shown.counts == {"upgraded": 7}
    assert "of service s1" in shown.warnings[0]


async def test_a_target_that_is_not_there(world: ControllerWorld, stores: FakeStores) -> None:
    """It fails the plan of its plugins, and the failure action comes before any stop."""
    world.fleet.answers["n2", type(_describe())] = errdefs.NotFound("no v2")
    await _create(world)

    shown = await _settled(world, "paused")

    assert shown.counts == {"failed": 4, "pending": 4}
    assert not stores.upgrades()


def _describe() -> Any:
    from shared.contracts.pull import DescribePlugin

    return DescribePlugin(remote="r")


def _second_fails(request: JobRequest) -> errdefs.Error | None:
    is_one = request.kind is JobKind.UPGRADE and request.restore is None
    return errdefs.Conflict("it ends") if is_one and request.name == "a1:latest" else None


async def test_rollback_on_failure(world: ControllerWorld, stores: FakeStores) -> None:
    """All are what they were: digest, reference and settings."""
    stores.ends = _second_fails
    await _create(world, update={"failure_action": "rollback"})

    shown = await _settled(world, "rollback_completed")

    assert stores.plugins == {
        node: {one.name: one for one in found} for node, found in _NODES.items()
    }
    assert shown.counts["failed"] == 1
    assert shown.message == "a1:latest on n1 failed, and none of 8 may: it ends"


async def test_pause_resume(world: ControllerWorld, stores: FakeStores) -> None:
    """A failure pauses; what has failed is accepted by resuming, and the rest goes on."""
    stores.ends = _second_fails
    await _create(world)
    await _settled(world, "paused")

    await world.ask(contracts.ResumeBatch(batch_id="b"))
    shown = await _settled(world, "completed")

    assert shown.counts == {"failed": 1, "upgraded": 7}


async def test_who_stands_down_begins_nothing() -> None:
    """At the end of a job, about to begin the next, a controller that stops leaves no task."""
    for turns in range(8):
        async with ControllerWorld("n1") as world:
            for node in ("n1", "n2"):
                await world.ask(Heartbeat(node=node, version="1", seal_key="k"))
            stores = FakeStores(world, _NODES)
            stores.hold()
            await _create(world)
            await _until(lambda: len(stores.under_way) == 2)  # noqa: B023 - awaited here
            stores.release()
            for _ in range(turns):
                await asyncio.sleep(0)

            await world.crash()
            names = {task.get_name() for task in asyncio.all_tasks()}
            assert not {name for name in names if name.startswith("b-")}, turns


def _full(_unit: Unit) -> errdefs.Error:
    return errdefs.ResourceExhausted("the disk is full")


def _full_for_first_step(unit: Unit) -> errdefs.Error | None:
    is_step = all(entry.kind is Kind.BATCH_FETCH for entry in unit.entries)
    return _full(unit) if is_step else None


async def test_a_commit_that_failed_is_tried_again(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """With no job under way that would see to it, a batch goes on once the disk is well."""
    world.records.refusal = _full_for_first_step
    await _create(world)
    await eventually(lambda: world.records.refused)

    world.records.refusal = lambda _unit: None

    await eventually(partial(_is_over, world, "b"))
    assert (await _show(world)).counts == {"upgraded": 8}


async def test_who_stands_down_tries_no_commit_again(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """A controller that stops leaves no task, though its disk is full."""
    world.records.refusal = _full_for_first_step
    await _create(world)
    await eventually(lambda: world.records.refused)

    await world.crash()

    assert "b" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_cancel(world: ControllerWorld, stores: FakeStores) -> None:
    """What is under way ends, the rest does not begin."""
    stores.hold()
    await _create(world)
    await _until(lambda: len(stores.under_way) == 2)

    await world.ask(contracts.CancelBatch(batch_id="b"))
    stores.release()
    shown = await _settled(world, "cancelled")

    assert shown.counts["cancelled"] + shown.counts["upgraded"] == 8
    assert len(stores.upgraded()) == shown.counts["upgraded"] < 8


async def test_a_plan_that_fails_undoes_no_request(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """What was cancelled while it was planned stays so, though nothing could be planned."""
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def nothing(_command: GetInventory) -> Inventory:
        asked.set()
        await may_answer.wait()
        return Inventory(epoch="e", revision=1, plugins=())

    world.fleet.answers["n1", GetInventory] = nothing
    await _create(world, selector=Selector(nodes=("n1",)))
    await asked.wait()

    await world.ask(contracts.CancelBatch(batch_id="b"))
    may_answer.set()
    await world.controller._engine._batches.settled()

    assert (await _show(world)).state == "cancelled"


async def test_rollback_by_request(world: ControllerWorld, stores: FakeStores) -> None:
    """A batch that is over can be put back; a second request changes nothing."""
    await _create(world)
    await _settled(world, "completed")

    await world.ask(contracts.RollBackBatch(batch_id="b"))
    await _settled(world, "rollback_completed")

    assert not stores.upgraded()
    with pytest.raises(errdefs.Conflict):
        await world.ask(contracts.RollBackBatch(batch_id="b"))


async def test_what_was_before_is_written_once(world: ControllerWorld, stores: FakeStores) -> None:
    """The rows that change with each step are small; the next controller puts back all the same."""
    await _create(world)
    await _settled(world, "completed")
    await world.crash()
    items = [row.body for (kind, _), row in world.records.rows.items() if kind == "batch-plugin"]

    next_ = ControllerWorld("n1", redis=world.redis, records=world.records)
    next_.fleet.answers = world.fleet.answers
    next_.fleet.ends = world.fleet.ends
    async with next_:
        await next_.ask(contracts.RollBackBatch(batch_id="b"))
        await _settled(next_, "rollback_completed")

    assert [item and item["before"] for item in items] == [None] * 8
    assert all(
        stores.plugins[node][one.name] == one for node, found in _NODES.items() for one in found
    )


async def test_a_row_that_an_older_controller_wrote(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """It has the plugin in it, and no row beside it."""
    await _create(world)
    await _settled(world, "completed")
    rows = world.records.rows
    for kind, key in [at for at in rows if at[0] == "batch-before"]:
        before = rows.pop((kind, key)).body
        item = rows["batch-plugin", key]
        assert before is not None
        assert item.body is not None
        body = item.body | {"before": before["plugin"]}
        rows["batch-plugin", key] = item.model_copy(update={"body": body})
    await world.crash()

    next_ = ControllerWorld("n1", redis=world.redis, records=world.records)
    next_.fleet.answers = world.fleet.answers
    next_.fleet.ends = world.fleet.ends
    async with next_:
        await next_.ask(contracts.RollBackBatch(batch_id="b"))
        await _settled(next_, "rollback_completed")

    assert not stores.upgraded()


async def test_what_a_worker_lacked_is_tried_again(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """A registry that is away for a moment fails nobody; each try is a job of its own."""
    left = [errdefs.Unavailable("away"), errdefs.Unavailable("away")]

    def ends(request: JobRequest) -> errdefs.Error | None:
        is_one = request.kind is JobKind.UPGRADE and request.name == "b0:latest"
        return left.pop() if is_one and left else None

    stores.ends = ends
    world.clock.passing_s = 3.0
    await _create(world)

    shown = await _settled(world, "completed")

    assert shown.counts == {"upgraded": 8}
    assert stores.upgrades()["b0:latest"] == 3


async def test_a_node_with_too_many_jobs_is_waited_for(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """A store that takes no more jobs for now fails no plugin: it is asked again."""
    full = [errdefs.ResourceExhausted("no room", detail={"retry_after_s": 1})] * 2
    begin = world.fleet.answers["n2", BeginJob]

    def refuse(command: BeginJob) -> Any:
        if full and command.request.kind is JobKind.UPGRADE:
            raise full.pop()
        return begin(command)  # type: ignore[operator]  # it is a function, as FakeStores made it

    world.fleet.answers["n2", BeginJob] = refuse
    await _create(world, update={"parallelism": 0})

    await eventually(lambda: len(stores.upgraded()) == 8)
    shown = await _settled(world, "completed")

    assert shown.counts == {"upgraded": 8}
    assert not full


async def test_three_tries(world: ControllerWorld, stores: FakeStores) -> None:
    """A worker that never gets what it needs fails its plugin at last."""
    stores.ends = lambda request: (
        errdefs.Unavailable("away") if request.name == "b0:latest" else None
    )
    world.clock.passing_s = 3.0
    await _create(world, update={"failure_action": "continue"})

    shown = await _settled(world, "completed")

    assert shown.counts == {"failed": 1, "upgraded": 7}
    assert stores.upgrades()["b0:latest"] == 3


async def test_a_successor_goes_on(world: ControllerWorld, stores: FakeStores) -> None:
    """A controller that died in the middle: the next begins the same jobs again, and finds them."""
    stores.hold()
    await _create(world)
    await _until(lambda: len(stores.under_way) == 2)
    await world.crash()

    next_ = ControllerWorld("n1", redis=world.redis, records=world.records)
    next_.fleet.answers = world.fleet.answers
    next_.fleet.ends = world.fleet.ends
    async with next_:
        next_.fleet.may_end = world.fleet.may_end
        stores.release()
        shown = await _settled(next_, "completed")

    assert shown.counts == {"upgraded": 8}
    assert set(stores.upgrades().values()) == {1}


async def test_a_batch_is_one_tree_whoever_drives_it(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """Below the request lies the batch, below that each plugin's job, over a controller's death."""
    stores.hold()
    with recorded() as exporter:
        with trace.get_tracer("test").start_as_current_span("request"):
            await _create(world)
        await _until(lambda: len(stores.under_way) == 2)
        await world.crash()
        next_ = ControllerWorld("n1", redis=world.redis, records=world.records)
        next_.fleet.answers = world.fleet.answers
        next_.fleet.ends = world.fleet.ends
        async with next_:
            next_.fleet.may_end = world.fleet.may_end
            stores.release()
            await _settled(next_, "completed")
            await _until(lambda: _named(exporter.get_finished_spans(), "batch"))

    spans = exporter.get_finished_spans()
    (request,), (batch,) = _named(spans, "request"), _named(spans, "batch")
    upgrades = _named(spans, "upgrade plugin")
    assert _parent(batch) == _id(request)
    assert {_parent(span) for span in upgrades} == {_id(batch)}
    assert len(upgrades) == 8
    told = upgrades[0].attributes or {}
    assert (told["wherry.batch"], told["wherry.node"]) == ("b", "n1")
    begun = {tp.split("-")[2] for tp in stores.traces.values()}
    assert {_id(span) for span in upgrades} <= begun


async def test_a_rollback_is_a_trace_of_its_own(world: ControllerWorld, stores: FakeStores) -> None:
    """What somebody asks for later lies in the trace of that request, linked to the first one."""
    tracer = trace.get_tracer("test")
    with recorded() as exporter:
        with tracer.start_as_current_span("first"):
            await _create(world)
        await _settled(world, "completed")
        await _until(lambda: len(_named(exporter.get_finished_spans(), "batch")) == 1)
        with tracer.start_as_current_span("second"):
            await world.ask(contracts.RollBackBatch(batch_id="b"))
        await _settled(world, "rollback_completed")
        await _until(lambda: len(_named(exporter.get_finished_spans(), "batch")) == 2)

    spans = exporter.get_finished_spans()
    (first,), (second,) = _named(spans, "first"), _named(spans, "second")
    _, back = _named(spans, "batch")
    assert _parent(back) == _id(second)
    assert [trace.format_span_id(one.context.span_id) for one in back.links] == [_id(first)]
    assert {_parent(span) for span in _named(spans, "roll back plugin")} == {_id(back)}


async def test_two_batches_of_one_id_at_once(world: ControllerWorld, stores: FakeStores) -> None:
    """Only one of two requests is accepted, as one after the other."""
    plan, other = _request(dry_run=True), _request()
    commands = [contracts.CreateBatch(batch_id="b", request=one) for one in (plan, other)]

    first, second = await asyncio.gather(*map(world.ask, commands), return_exceptions=True)

    assert not isinstance(first, BaseException)
    assert isinstance(second, errdefs.Conflict)
    assert (await _settled(world, "planned")).request == plan


async def test_the_same_batch(world: ControllerWorld, stores: FakeStores) -> None:
    """A repeat is the same batch; another request under its id is refused."""
    await _create(world)
    await _create(world)
    with pytest.raises(errdefs.Conflict):
        await _create(world, dry_run=True)

    assert len((await world.ask(contracts.ListBatches())).batches) == 1


@pytest.mark.parametrize(
    "command",
    [
        contracts.WatchBatch(batch_id="x"),
        contracts.PauseBatch(batch_id="x"),
        contracts.RollBackBatch(batch_id="x"),
    ],
    ids=["watch", "pause", "rollback"],
)
async def test_no_such_batch(world: ControllerWorld, command: Any) -> None:
    """What nobody knows is not found."""
    with pytest.raises(errdefs.NotFound):
        await world.ask(command)


@pytest.mark.parametrize("name", ["", "x", "bb"])
async def test_no_batch_begins_so(world: ControllerWorld, stores: FakeStores, name: str) -> None:
    """Neither nothing nor something else is the beginning of an id."""
    await _create(world, dry_run=True)

    with pytest.raises(errdefs.NotFound, match="wherry upgrade ls"):
        await world.ask(contracts.CancelBatch(batch_id=name))


async def test_the_beginning_of_an_id(world: ControllerWorld, stores: FakeStores) -> None:
    """It names the batch where only one begins so; a whole id is always that one."""
    for batch_id in ("ab1", "ab2", "ab"):
        await world.ask(contracts.CreateBatch(batch_id=batch_id, request=_request(dry_run=True)))

    async def named(name: str) -> str:
        return (await world.ask(contracts.WatchBatch(batch_id=name))).batch.batch_id

    assert [await named(name) for name in ("ab1", "ab", "ab2")] == ["ab1", "ab", "ab2"]
    with pytest.raises(errdefs.InvalidArgument, match="a is ambiguous: 3 begin so"):
        await named("a")


@pytest.mark.parametrize("verb", [contracts.PauseBatch, contracts.CancelBatch])
async def test_steered_by_the_beginning_of_its_id(
    world: ControllerWorld, stores: FakeStores, verb: Any
) -> None:
    """What is told of it bears the whole id."""
    await world.ask(contracts.CreateBatch(batch_id="abc", request=_request()))

    assert (await world.ask(verb(batch_id="a"))).batch.batch_id == "abc"


async def test_watching(world: ControllerWorld, stores: FakeStores) -> None:
    """Who watches gets all once, then what has changed, with what jobs tell."""
    stores.hold()
    world.fleet.told["b-u0-1"] = [JobProgress(status="Downloading", current=1, total=2)]
    await _create(world)
    first = await world.ask(contracts.WatchBatch(batch_id="b"))
    stores.release()

    await _settled(world, "completed")
    later = await world.ask(contracts.WatchBatch(batch_id="b", position=first.position))
    nothing = await world.ask(contracts.WatchBatch(batch_id="b", position=later.position))

    assert len(later.plugins) == 8
    assert nothing.plugins == ()
    assert not nothing.has_more


def _is_over(world: ControllerWorld, batch_id: str) -> bool:
    return world.controller._book.shown(batch_id).is_over


async def _plan_alone(world: ControllerWorld, batch_id: str) -> None:
    request = _request(dry_run=True)
    await world.ask(contracts.CreateBatch(batch_id=batch_id, request=request))
    world.clock.advance(1)
    await _until(partial(_is_over, world, batch_id))


async def test_old_batches_go(world: ControllerWorld, stores: FakeStores) -> None:
    """Twenty that are over are kept."""
    for number in range(22):
        await _plan_alone(world, f"b{number:02}")
    kept = [one.batch_id for one in (await world.ask(contracts.ListBatches())).batches]

    assert len(kept) <= 21
    assert "b00" not in kept


async def test_old_batches_go_once_the_disk_is_well(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """What could not be forgotten is forgotten later, though no other batch ends."""
    for number in range(20):
        await _plan_alone(world, f"b{number:02}")
    world.records.refusal = lambda unit: (
        _full(unit) if any(entry.body is None for entry in unit.entries) else None
    )

    await _plan_alone(world, "b20")
    await eventually(lambda: world.records.refused)
    world.records.refusal = lambda _unit: None

    await eventually(lambda: ("batch", "b00") not in world.records.rows)


async def test_a_batch_with_a_job_under_way_stays(
    world: ControllerWorld, stores: FakeStores
) -> None:
    """However many are over since it was cancelled: it goes once the job's end is noted."""
    await _upgrade_one(world, "first", "b0")
    await _until(partial(_is_over, world, "first"))
    stores.hold()
    await _upgrade_one(world, "b", "a0")
    await _until(lambda: stores.under_way)
    await world.ask(contracts.CancelBatch(batch_id="b"))
    for number in range(20):
        await _upgrade_one(world, f"c{number:02}", "b0")
        await _until(partial(_is_over, world, f"c{number:02}"))
    await _until(lambda: ("batch", "first") not in world.records.rows)

    assert (await _show(world)).counts == {"upgrading": 1}
    stores.release()
    await _until(lambda: ("batch", "b") not in world.records.rows)

    assert _states(world)[-1] == {"a0:latest": "upgraded"}


async def _upgrade_one(world: ControllerWorld, batch_id: str, name: str) -> None:
    request = _request(selector=Selector(names=(name,)))
    world.clock.advance(1)
    await world.ask(contracts.CreateBatch(batch_id=batch_id, request=request))
