"""Services of a controller whose nodes' stores are in memory."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.controller.domain.row import Kind, Unit
from services.controller.domain.task import TaskRecord
from shared import errdefs
from shared.contracts.job import Sealed
from shared.contracts.node import (
    Availability,
    Heartbeat,
    ListNodes,
    NodeState,
    RemoveNode,
    UpdateNode,
)
from shared.contracts.swarm import (
    CreateService,
    GetService,
    ListServices,
    ListTasks,
    PluginSpec,
    RemoveService,
    ServiceSpec,
    Task,
    TaskState,
    UpdateService,
)
from tests.support.controller import ControllerWorld
from tests.support.fake_store import FakeStore
from tests.support.wait import eventually

SPEC = ServiceSpec(name="s", plugin=PluginSpec(name="p", remote="a/p:v1"))


class World:
    """The active controller of node `a`, and the stores of its nodes."""

    def __init__(self, controller: ControllerWorld) -> None:
        self.controller = controller
        controller.clock.passing_s = 0.001  # no two tasks are made in the same moment
        self.stores: dict[str, FakeStore] = {}
        self._ids = (f"m{number}" for number in itertools.count())

    async def ask(self, command: Any, message_id: str = "") -> Any:
        """Have a command handled."""
        return await self.controller.ask(command, message_id=message_id or next(self._ids))

    async def join(self, *nodes: str) -> None:
        """Let nodes be heard of."""
        for node in nodes:
            if node not in self.stores:
                store = self.stores[node] = FakeStore()
                self.controller.fleet.answers |= store.answers(node)
                self.controller.fleet.plugin_news[node] = store.news
            await self.ask(Heartbeat(node=node, version="1", seal_key=f"key-of-{node}"))

    async def create(self, spec: ServiceSpec = SPEC, **more: Any) -> str:
        """Create a service."""
        command = CreateService(service_id="service-1", spec=spec, **more)
        return str((await self.ask(command)).service_id)

    async def update(self, **plugin: Any) -> None:
        """Change the service's plugin spec."""
        service = (await self.ask(GetService(name="s"))).service
        changed = service.spec.plugin.model_copy(update=plugin)
        spec = service.spec.model_copy(update={"plugin": changed})
        await self.ask(UpdateService(name="s", version=service.version, spec=spec))

    def tasks(self, node: str = "") -> list[Task]:
        """Return the tasks, of a node or of all, oldest first."""
        found = self.controller.controller.services.ledger.tasks()
        return [one.task for one in found if node in ("", one.node)]

    def states(self, node: str = "") -> list[str]:
        """Return how far the tasks are."""
        return [one.status.state.value for one in self.tasks(node)]

    async def runs(self, count: int) -> None:
        """Wait until so many tasks run."""
        await eventually(lambda: self.states().count("running") == count)


@asynccontextmanager
async def _world(*nodes: str) -> AsyncIterator[World]:
    async with ControllerWorld("a") as controller:
        world = World(controller)
        await world.join(*nodes)
        yield world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give a fleet of two nodes."""
    async with _world("a", "b") as made:
        yield made


async def test_a_service_is_brought_about(world: World) -> None:
    """Its plugin is pulled and started on each node, held, and shown as running."""
    await world.create()
    await world.runs(2)

    for store in world.stores.values():
        assert store.done == ["pull", "enable"]
        assert len(store.owners) == 1
    (service,) = (await world.ask(ListServices())).services
    assert service.status is not None
    assert (service.status.running, service.status.desired) == (2, 2)
    tasks = (await world.ask(ListTasks())).tasks
    assert {one.status.container_id for one in tasks} == {"c-1"}


async def test_a_repeated_command_is_answered_again(world: World) -> None:
    """A message that is delivered twice makes one service."""
    command = CreateService(service_id="service-1", spec=SPEC)

    first = await world.ask(command, "same")
    again = await world.ask(command, "same")

    assert first == again
    assert len((await world.ask(ListServices())).services) == 1


async def test_a_name_is_taken_once(world: World) -> None:
    """The text is swarm's."""
    await world.create()

    with pytest.raises(errdefs.AlreadyExists, match="service s already exists"):
        await world.ask(CreateService(service_id="other", spec=SPEC))


async def test_services_are_found_by_id_name_and_beginning(world: World) -> None:
    """An id wins over a name; several that begin so are too many."""
    await world.create()
    other = SPEC.model_copy(update={"name": "t"})
    await world.ask(CreateService(service_id="service-2", spec=other))

    assert (await world.ask(GetService(name="service-2"))).service.spec.name == "t"
    assert (await world.ask(GetService(name="s"))).service.service_id == "service-1"
    with pytest.raises(errdefs.InvalidArgument, match="service serv is ambiguous"):
        await world.ask(GetService(name="serv"))
    with pytest.raises(errdefs.NotFound, match="service x not found"):
        await world.ask(GetService(name="x"))


async def test_an_update_reaches_each_node(world: World) -> None:
    """One after the other, and what was replaced stays to be seen."""
    await world.create()
    await world.runs(2)

    await world.update(env=("A=1",))
    await eventually(lambda: all(s.done[-1] == "upgrade" for s in world.stores.values()))
    await eventually(lambda: world.states("a") == world.states("b") == ["shutdown", "running"])

    assert all(s.requests[-1].env == ("A=1",) for s in world.stores.values())
    await eventually(lambda: all(len(s.owners) == 1 for s in world.stores.values()))


async def test_a_removed_service_leaves_nothing(world: World) -> None:
    """Plugins go, then the tasks."""
    await world.create()
    await world.runs(2)

    await world.ask(RemoveService(name="s"))
    await eventually(lambda: world.tasks() == [])

    assert all(store.plugins == {} for store in world.stores.values())


async def test_a_service_that_is_removed_while_it_is_pulled_leaves_nothing(world: World) -> None:
    """Jobs under way are called off."""
    for store in world.stores.values():
        store.hangs = True
    await world.create()
    await eventually(lambda: all(store.jobs for store in world.stores.values()))

    await world.ask(RemoveService(name="s"))
    await eventually(lambda: world.tasks() == [])

    assert all(store.done == ["cancel"] for store in world.stores.values())


async def test_a_job_that_fails_rejects_the_task(world: World) -> None:
    """Whatever the error, the same job is not begun twice; a new task has another."""
    world.stores["b"].job_error = errdefs.Unavailable("the registry does not answer")
    await world.create()

    await eventually(lambda: world.states("b") == ["rejected"])

    (task,) = world.tasks("b")
    assert task.status.error == "the registry does not answer"
    await eventually(lambda: world.states("a") == ["running"])


async def test_a_node_that_does_not_answer_is_waited_for(world: World) -> None:
    """The task says what is in the way, and goes on where it was."""
    world.stores["b"].away = errdefs.Unavailable("the message bus does not answer")
    await world.create()
    await eventually(lambda: any(one.status.error for one in world.tasks("b")))

    world.stores["b"].away = None
    await world.runs(2)

    assert all(one.status.error == "" for one in world.tasks())


def _full_from(state: TaskState) -> Callable[[Unit], errdefs.Error | None]:
    """Return what refuses commits from when a task has come to a state."""
    seen: set[TaskState] = set()

    def refusal(unit: Unit) -> errdefs.Error | None:
        if state in seen:
            return errdefs.ResourceExhausted("the disk is full")
        seen.update(
            entry.body.state for entry in unit.entries if isinstance(entry.body, TaskRecord)
        )
        return None

    return refusal


@pytest.mark.parametrize("state", [TaskState.PREPARING, TaskState.STARTING], ids=str)
async def test_a_task_outlives_a_commit_that_failed(state: TaskState) -> None:
    """It goes on once the disk is well, though nothing else changes, and what was done stays."""
    async with _world("a") as world:
        world.controller.records.refusal = _full_from(state)
        await world.create()
        await eventually(lambda: world.controller.records.refused > 2)
        world.controller.records.refusal = lambda _unit: None

        await world.runs(1)

    assert world.stores["a"].done == ["pull", "enable"]


async def test_a_commit_that_failed_once_fails_no_task() -> None:
    """The disk that was full is ours: it says nothing of the plugin."""
    async with _world("a") as world:
        refuse = _full_from(TaskState.PREPARING)
        records = world.controller.records
        records.refusal = lambda unit: None if records.refused else refuse(unit)

        await world.create()
        await world.runs(1)

        assert records.refused == 1
        assert world.states() == ["running"]


async def test_a_crash_shows(world: World) -> None:
    """The task fails with the exit code, though the store has started the plugin again."""
    await world.create()
    await world.runs(2)

    world.stores["b"].crash("p:latest", 137, 10)
    await eventually(lambda: world.states("b") == ["failed"])

    (task,) = world.tasks("b")
    assert (task.status.error, task.status.exit_code) == ("plugin ended with exit code 137", 137)


async def test_leases_are_renewed(world: World) -> None:
    """A plugin stays held for as long as its task runs; a node that is away is left for later."""
    await world.create()
    await world.runs(2)
    await eventually(lambda: all(store.owners for store in world.stores.values()))
    for store in world.stores.values():
        store.owners.clear()
    world.stores["a"].away = errdefs.Unavailable("away")

    await world.controller.controller.runs.renew()

    assert [len(world.stores[node].owners) for node in "ab"] == [0, 1]


async def test_the_next_controller_goes_on_and_restarts_nothing() -> None:
    """A process that takes up what was committed finds all as it shall be."""
    async with _world("a", "b") as world:
        await world.create()
        await world.runs(2)
        records, redis = world.controller.records, world.controller.redis

    again = ControllerWorld("a", redis=redis, records=records)
    later = World(again)
    for node, store in world.stores.items():
        later.stores[node] = store
        again.fleet.answers |= store.answers(node)
        again.fleet.plugin_news[node] = store.news
    async with again:
        await later.join("a", "b")
        await later.runs(2)
        store.crash("p:latest", 1, 10)
        await eventually(lambda: "failed" in later.states("b"))

    assert all(store.done == ["pull", "enable"] for store in world.stores.values())


async def test_a_login_is_kept_for_each_node_and_sealed_to_each_job(world: World) -> None:
    """It lies nowhere as it was sent; nodes that come later get it, too."""
    sealed = Sealed(box="key-of-a|service/service-1|secret")
    await world.create(credentials=sealed)
    await world.runs(2)

    kept = world.controller.controller.catalog.keys(Kind.CREDENTIAL)
    assert kept == ("service-1/a", "service-1/b")
    (request,) = world.stores["b"].requests
    (job_id,) = world.stores["b"].jobs
    assert request.credentials == Sealed(box=f"key-of-b|{job_id}|secret")

    await world.join("c")
    await world.runs(3)
    (request,) = world.stores["c"].requests
    assert request.credentials is not None
    assert request.credentials.box.startswith("key-of-c|")

    await world.ask(RemoveService(name="s"))
    assert world.controller.controller.catalog.keys(Kind.CREDENTIAL) == ()


async def test_a_login_that_cannot_be_spread_keeps_no_task_from_its_turn(world: World) -> None:
    """What is desired of tasks is committed before it: they hear of it all the same."""
    await world.create(credentials=Sealed(box="key-of-a|service/service-1|secret"))
    await world.runs(2)
    world.controller.records.refusal = _full_for_logins
    await world.ask(Heartbeat(node="b", version="1", seal_key="another"))
    await eventually(lambda: world.controller.records.refused)

    await world.ask(UpdateNode(name="b", revision=1, labels={}, availability=Availability.DRAIN))
    await eventually(lambda: world.tasks("b")[0].desired_state is TaskState.SHUTDOWN)
    world.controller.records.refusal = lambda _unit: None

    await eventually(lambda: world.stores["b"].plugins == {})


def _full_for_logins(unit: Unit) -> errdefs.Error | None:
    is_login = any(entry.kind is Kind.CREDENTIAL for entry in unit.entries)
    return errdefs.ResourceExhausted("the disk is full") if is_login else None


async def test_a_node_whose_key_is_none_keeps_nobody_from_a_login(world: World) -> None:
    """The others are sealed to, and what is desired of their tasks comes about."""
    await world.create(credentials=Sealed(box="key-of-a|service/service-1|secret"))
    await world.runs(2)
    await world.ask(Heartbeat(node="b", version="1", seal_key="no key"))

    await world.join("c")

    await eventually(lambda: world.states("c") == ["running"])
    keys = world.controller.controller.catalog.keys
    kept = ("service-1/a", "service-1/b", "service-1/c")
    await eventually(lambda: keys(Kind.CREDENTIAL) == kept)


async def test_a_login_is_taken_though_a_node_s_key_is_none(world: World) -> None:
    """A new service has its login on all nodes that it can be sealed to."""
    await world.ask(Heartbeat(node="b", version="1", seal_key="no key"))

    await world.create(credentials=Sealed(box="key-of-a|service/service-1|secret"))

    assert world.controller.controller.catalog.keys(Kind.CREDENTIAL) == ("service-1/a",)


async def test_a_login_for_another_node_is_refused(world: World) -> None:
    """Another controller has become active meanwhile: the request is to be sent again."""
    with pytest.raises(errdefs.InvalidArgument, match="do not open"):
        await world.create(credentials=Sealed(box="key-of-b|service/service-1|secret"))

    assert (await world.ask(ListServices())).services == ()


async def test_drained_and_activated(world: World) -> None:
    """A node's availability is a person's word; an update names what it saw."""
    await world.create()
    await world.runs(2)
    drain = UpdateNode(name="b", revision=1, labels={"x": "y"}, availability=Availability.DRAIN)

    (node,) = (await world.ask(drain)).nodes
    await eventually(lambda: world.stores["b"].plugins == {})
    assert (node.labels, node.revision) == ({"x": "y"}, 2)

    with pytest.raises(errdefs.Conflict, match="update out of sequence"):
        await world.ask(drain)
    active = drain.model_copy(update={"revision": 2, "availability": Availability.ACTIVE})
    await world.ask(active)
    await world.runs(2)


async def test_labels_outlive_heartbeats(world: World) -> None:
    """What people set is not what a node says."""
    wish = UpdateNode(name="b", revision=1, labels={"x": "y"}, availability=Availability.ACTIVE)
    await world.ask(wish)

    await world.join("b")

    nodes = {one.name: one for one in (await world.ask(ListNodes())).nodes}
    assert nodes["b"].labels == {"x": "y"}


async def test_only_a_node_that_is_down_is_removed(world: World) -> None:
    """Its tasks are forgotten with it; heard of again it is a new node."""
    await world.create()
    await world.runs(2)
    with pytest.raises(errdefs.Conflict, match="is not down and can't be removed"):
        await world.ask(RemoveNode(name="b"))
    with pytest.raises(errdefs.Conflict, match="has the active controller"):
        await world.ask(RemoveNode(name="a", force=True))

    world.controller.clock.advance(100)
    await world.join("a")
    await world.controller.controller.nodes.look()
    states = {one.name: one.state for one in (await world.ask(ListNodes())).nodes}
    assert states == {"a": NodeState.READY, "b": NodeState.DOWN}
    await eventually(lambda: world.tasks("b")[0].desired_state is TaskState.SHUTDOWN)
    await world.ask(RemoveNode(name="b"))
    await eventually(lambda: world.tasks("b") == [])
