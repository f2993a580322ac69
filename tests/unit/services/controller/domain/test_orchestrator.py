"""From what is observed of services, nodes and tasks to what is desired."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from services.controller.domain import plugin_service, task
from services.controller.domain.constraint import Placeable
from services.controller.domain.orchestrator import Plan, plan
from services.controller.domain.placement import Place
from services.controller.domain.plugin_service import ServiceRecord
from services.controller.domain.task import Step, TaskRecord
from shared import errdefs
from shared.contracts.node import Availability
from shared.contracts.swarm import (
    FailureAction,
    PluginSpec,
    RestartCondition,
    RestartPolicy,
    ServiceSpec,
    TaskState,
    UpdateConfig,
    UpdateState,
)
from tests.support.plugin_backend import installed

SECOND = 10**9


class Fleet:
    """Nodes whose tasks do what is desired of them at once, unless they are told to fail."""

    def __init__(self, *nodes: str, **changes: Any) -> None:
        self.now_ns = 1000 * SECOND
        self.places = {name: place(name) for name in nodes}
        self.tasks: dict[str, TaskRecord] = {}
        spec = ServiceSpec(name="s", plugin=PluginSpec(remote="a/p:v1"))
        wanted = spec.model_copy(update=changes)
        self.service: ServiceRecord | None = plugin_service.created("s", wanted, self.now_ns)
        #: Versions that cannot be had, by node.
        self.failing: set[tuple[str, str]] = set()
        #: Nodes that do not answer.
        self.silent: set[str] = set()
        self.due_ns: int | None = None
        self._ids = (f"t{number}" for number in itertools.count(1))

    def look(self) -> Plan:
        """Look once, and take in what that changes."""
        planned = plan(
            self.service, self.places, self.tasks.values(), self.now_ns, lambda: next(self._ids)
        )
        self.service = planned.service or self.service
        self.tasks |= {one.task_id: one for one in planned.tasks}
        for task_id in planned.forgotten:
            del self.tasks[task_id]
        self.due_ns = planned.due_ns
        return planned

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, then look and act until nothing changes any more."""
        self.now_ns += int(seconds * SECOND)
        for _ in range(100):
            before = (self.service, dict(self.tasks))
            self.look()
            for one in list(self.tasks.values()):
                self._act(one)
            if before == (self.service, self.tasks):
                return
            self.now_ns += 1
        raise AssertionError("it does not come to rest")

    def update(self, **changes: Any) -> None:
        """Give the service another spec."""
        assert self.service is not None
        wanted = self.service.spec.model_copy(update=changes)
        version = self.service.service.version
        self.service = plugin_service.updated(self.service, version, wanted, self.now_ns)

    def set_place(self, name: str, **changes: Any) -> None:
        """Change a node."""
        self.places[name] = place(name, **changes)

    def running(self, remote: str = "") -> list[str]:
        """Return the nodes where a task runs, of a version if one is named."""
        return sorted(
            one.node
            for one in self.tasks.values()
            if one.state is TaskState.RUNNING
            and one.is_wished
            and (not remote or one.task.spec.plugin.remote == remote)
        )

    def of(self, node: str) -> list[TaskRecord]:
        """Return a node's tasks, oldest first."""
        return sorted(
            (one for one in self.tasks.values() if one.node == node),
            key=lambda one: (one.task.created_at_ns, len(one.task_id), one.task_id),
        )

    def fail(self, node: str, error: errdefs.Error | None = None) -> None:
        """Let a node's running task fail."""
        (one,) = (one for one in self.of(node) if one.state is TaskState.RUNNING)
        why = error or errdefs.Conflict("plugin ended with exit code 1")
        self.tasks[one.task_id] = task.failed(one, why, self.now_ns)

    @property
    def status(self) -> str:
        """Return the state of the update; empty: there was none."""
        assert self.service is not None
        status = self.service.service.update_status
        return status.state.value if status else ""

    def _act(self, one: TaskRecord) -> None:
        step = task.next_step(one)
        if step in (None, Step.WAIT) or one.node in self.silent or not self.places[one.node].is_up:
            return
        self.tasks[one.task_id] = self._done(one, step)

    def _done(self, one: TaskRecord, step: Step | None) -> TaskRecord:
        assert step is not None
        plugin = installed("p", one.task.spec.plugin.remote)
        if step is Step.PREPARE and (one.node, plugin.reference) in self.failing:
            return task.failed(one, errdefs.NotFound("no such plugin"), self.now_ns)
        if step is Step.PREPARE:
            return task.prepared(one, plugin, self.now_ns)
        if step is Step.START:
            return task.started(one, plugin, self.now_ns)
        return task.advanced(one, step, self.now_ns)


def place(name: str, **changes: Any) -> Place:
    """Return a node."""
    labels = changes.pop("labels", {})
    role = changes.pop("role", "worker")
    placeable = Placeable(node_id=f"id-{name}", hostname=name, labels=labels, role=role)
    settings = {"is_up": True, "availability": Availability.ACTIVE, **changes}
    return Place(name=name, node_id=f"id-{name}", placeable=placeable, **settings)


def test_a_service_is_on_all_nodes() -> None:
    """Each node has one task, and a look when all is as desired changes nothing."""
    fleet = Fleet("a", "b", "c")

    fleet.settle()

    assert fleet.running() == ["a", "b", "c"]
    assert fleet.look() == Plan()


def test_a_constraint_keeps_nodes_out() -> None:
    """A label that comes brings the service; one that goes takes it away, with the plugin."""
    fleet = Fleet("a", "b", constraints=("node.labels.zone==x",))
    fleet.settle()
    assert fleet.running() == []

    fleet.set_place("a", labels={"zone": "x"})
    fleet.settle()
    assert fleet.running() == ["a"]

    fleet.set_place("a")
    fleet.settle()
    assert fleet.running() == []
    (ended,) = fleet.of("a")
    assert (ended.state, ended.is_removed) == (TaskState.SHUTDOWN, True)


def test_a_node_that_comes_gets_the_service() -> None:
    """Whoever joins is reconciled like the others."""
    fleet = Fleet("a")
    fleet.settle()

    fleet.set_place("b")
    fleet.settle()

    assert fleet.running() == ["a", "b"]


def test_a_node_that_goes_and_comes_back_converges() -> None:
    """Its task is given up when it is down; once back it has another, and the old one leaves."""
    fleet = Fleet("a", "b")
    fleet.settle()

    fleet.set_place("b", is_up=False)
    fleet.settle()
    (old,) = fleet.of("b")
    assert (old.state, old.task.desired_state) == (TaskState.RUNNING, TaskState.SHUTDOWN)
    assert fleet.running() == ["a"]

    fleet.set_place("b")
    fleet.settle()
    assert fleet.running() == ["a", "b"]
    old, new = fleet.of("b")
    assert old.is_removed
    assert (old.state, new.state) == (TaskState.SHUTDOWN, TaskState.RUNNING)


def test_a_service_that_was_removed_leaves_nodes_that_come_back_later() -> None:
    """What a node that is down still has goes when it is back; then nothing is kept."""
    fleet = Fleet("a", "b")
    fleet.settle()
    fleet.set_place("b", is_up=False)
    fleet.service = None
    fleet.settle()
    assert [one.node for one in fleet.tasks.values()] == ["b"]

    fleet.set_place("b")
    fleet.settle()

    assert fleet.tasks == {}


def test_a_drained_node_is_left() -> None:
    """Drained, its task ends and the plugin goes; activated, it gets the service again."""
    fleet = Fleet("a", "b")
    fleet.settle()

    fleet.set_place("b", availability=Availability.DRAIN)
    fleet.settle()
    assert fleet.running() == ["a"]
    assert fleet.of("b")[0].is_removed

    fleet.set_place("b")
    fleet.settle()
    assert fleet.running() == ["a", "b"]


def test_a_paused_node_stays_as_it_is() -> None:
    """It gets no update and no new service, and keeps what it has."""
    fleet = Fleet("a")
    fleet.settle()
    fleet.set_place("a", availability=Availability.PAUSE)
    fleet.set_place("b", availability=Availability.PAUSE)

    fleet.update(plugin=PluginSpec(remote="a/p:v2"))
    fleet.settle(60)

    assert fleet.running("a/p:v1") == ["a"]


def test_a_node_that_nobody_knows_any_more_is_forgotten() -> None:
    """Of a node that was removed no task stays."""
    fleet = Fleet("a", "b")
    fleet.settle()

    del fleet.places["b"]
    fleet.look()

    assert {one.node for one in fleet.tasks.values()} == {"a"}


def test_a_task_that_failed_has_a_successor_after_a_delay() -> None:
    """The one that failed stays to be seen, and the controller knows when to look again."""
    fleet = Fleet("a")
    fleet.settle()

    fleet.fail("a")
    fleet.settle()
    assert [one.state for one in fleet.of("a")] == [TaskState.FAILED]
    assert fleet.due_ns is not None
    assert 4 * SECOND < fleet.due_ns - fleet.now_ns <= 5 * SECOND

    fleet.settle(5)
    assert fleet.running() == ["a"]
    assert [one.is_removed for one in fleet.of("a")] == [True, False]


def test_delays_grow_with_failures_in_a_row() -> None:
    """Five seconds, ten, twenty, forty, at most a minute; the old tasks do not pile up."""
    fleet = Fleet("a")
    fleet.settle()
    delays = []
    for _ in range(7):
        fleet.fail("a")
        fleet.look()
        assert fleet.due_ns is not None
        delays.append((fleet.due_ns - fleet.now_ns) // SECOND)
        fleet.settle(60)

    assert delays == [5, 10, 20, 40, 60, 60, 60]
    assert len(fleet.of("a")) == 6


def test_what_ran_for_long_fails_as_for_the_first_time() -> None:
    """A task that lasted clears the count."""
    fleet = Fleet("a")
    fleet.settle()
    for _ in range(3):
        fleet.fail("a")
        fleet.settle(60)

    fleet.settle(120)
    fleet.fail("a")
    fleet.look()

    assert fleet.due_ns == fleet.now_ns + 5 * SECOND


@pytest.mark.parametrize(
    ("policy", "runs_again"),
    [
        (RestartPolicy(condition=RestartCondition.NONE), False),
        (RestartPolicy(condition=RestartCondition.ON_FAILURE), True),
        (RestartPolicy(max_attempts=1), True),
    ],
)
def test_the_restart_policy_decides(policy: RestartPolicy, runs_again: bool) -> None:
    """A service may want no successor, or only so many."""
    fleet = Fleet("a", restart=policy)
    fleet.settle()

    fleet.fail("a")
    fleet.settle(600)

    assert (fleet.running() == ["a"]) is runs_again


def test_attempts_end() -> None:
    """After as many as the policy allows the task stays as it failed."""
    fleet = Fleet("a", restart=RestartPolicy(max_attempts=2))
    fleet.settle()

    for _ in range(2):
        fleet.fail("a")
        fleet.settle(600)
        assert fleet.running() == ["a"]
    fleet.fail("a")
    fleet.settle(600)

    assert fleet.running() == []


def test_an_update_goes_one_node_at_a_time() -> None:
    """The next node has its turn when the one before runs; it is over when the last has lasted."""
    fleet = Fleet("a", "b", "c")
    fleet.settle()
    fleet.update(plugin=PluginSpec(remote="a/p:v2"))
    fleet.silent |= {"a", "b", "c"}

    fleet.settle()
    assert [one.node for one in fleet.tasks.values() if one.state is TaskState.NEW] == ["a"]
    assert fleet.status == UpdateState.UPDATING

    fleet.silent.clear()
    fleet.settle()
    assert fleet.running("a/p:v2") == ["a", "b", "c"]
    assert fleet.status == UpdateState.UPDATING
    fleet.settle(5)
    assert fleet.status == UpdateState.COMPLETED


@pytest.mark.parametrize(("parallelism", "expected"), [(2, 2), (0, 3)])
def test_as_many_nodes_as_the_service_says(parallelism: int, expected: int) -> None:
    """None at all means all at once."""
    fleet = Fleet("a", "b", "c", update=UpdateConfig(parallelism=parallelism))
    fleet.settle()
    fleet.silent |= {"a", "b", "c"}
    fleet.update(plugin=PluginSpec(remote="a/p:v2"))

    fleet.settle()

    assert sum(one.state is TaskState.NEW for one in fleet.tasks.values()) == expected


def test_a_delay_lies_between_nodes() -> None:
    """The next one waits until the delay after the one before is over."""
    fleet = Fleet("a", "b", update=UpdateConfig(delay_ns=30 * SECOND))
    fleet.settle()
    fleet.update(plugin=PluginSpec(remote="a/p:v2"))

    fleet.settle()
    assert fleet.running("a/p:v2") == ["a"]
    assert fleet.due_ns is not None

    fleet.settle(31)
    assert fleet.running("a/p:v2") == ["a", "b"]


def test_only_what_is_done_makes_an_update() -> None:
    """Labels, constraints that still hold and the like change no task."""
    fleet = Fleet("a")
    fleet.settle()
    before = dict(fleet.tasks)

    fleet.update(labels={"x": "y"}, constraints=("node.role==worker",))
    fleet.settle()

    assert fleet.tasks == before
    assert fleet.status == ""


def _failing_update(action: FailureAction, **config: Any) -> Fleet:
    fleet = Fleet("a", "b", "c", update=UpdateConfig(failure_action=action, **config))
    fleet.settle()
    fleet.failing.add(("a", "a/p:v2"))
    fleet.update(plugin=PluginSpec(remote="a/p:v2"))
    fleet.settle()
    return fleet


def test_a_failing_update_pauses() -> None:
    """The other nodes keep the old version until somebody updates the service again."""
    fleet = _failing_update(FailureAction.PAUSE)

    assert fleet.status == UpdateState.PAUSED
    assert fleet.running("a/p:v1") == ["b", "c"]
    assert fleet.service is not None
    assert fleet.service.service.update_status is not None
    assert fleet.service.service.update_status.message.startswith(
        "update paused due to failure or early termination of task t"
    )

    fleet.failing.clear()
    fleet.update(plugin=PluginSpec(remote="a/p:v3"))
    fleet.settle(60)
    assert fleet.running("a/p:v3") == ["a", "b", "c"]


def test_a_failing_update_goes_on_where_that_is_wished() -> None:
    """Only the node that fails stays behind, and is tried again."""
    fleet = _failing_update(FailureAction.CONTINUE)
    assert fleet.running("a/p:v2") == ["b", "c"]

    fleet.failing.clear()
    fleet.settle(60)

    assert fleet.running("a/p:v2") == ["a", "b", "c"]


def test_a_failing_update_is_rolled_back() -> None:
    """All nodes have the previous spec again, and the service says so."""
    fleet = _failing_update(FailureAction.ROLLBACK)

    fleet.settle(60)

    assert fleet.status == UpdateState.ROLLBACK_COMPLETED
    assert fleet.running("a/p:v1") == ["a", "b", "c"]
    assert fleet.service is not None
    assert fleet.service.spec.plugin.remote == "a/p:v1"


def test_a_failing_rollback_pauses() -> None:
    """What fails both ways is left to a person."""
    fleet = Fleet("a", update=UpdateConfig(failure_action=FailureAction.ROLLBACK))
    fleet.settle()
    fleet.failing |= {("a", "a/p:v1"), ("a", "a/p:v2")}

    fleet.update(plugin=PluginSpec(remote="a/p:v2"))
    fleet.settle()

    assert fleet.status == UpdateState.ROLLBACK_PAUSED


def test_some_failures_may_be_borne() -> None:
    """A ratio that is not exceeded does not stop the update."""
    fleet = _failing_update(FailureAction.PAUSE, max_failure_ratio=0.4)

    assert fleet.running("a/p:v2") == ["b", "c"]


def test_a_failure_after_its_watch_is_none_of_the_update() -> None:
    """What has lasted as long as the service says is not held against the update."""
    fleet = Fleet("a", "b", update=UpdateConfig(delay_ns=60 * SECOND))
    fleet.settle()
    fleet.update(plugin=PluginSpec(remote="a/p:v2"))
    fleet.settle()
    assert fleet.running("a/p:v2") == ["a"]

    fleet.now_ns += 20 * SECOND
    fleet.fail("a")
    fleet.settle(120)

    assert fleet.running("a/p:v2") == ["a", "b"]


def test_an_update_names_the_version_that_it_saw() -> None:
    """Who did not see the last change is refused."""
    fleet = Fleet("a")
    service = fleet.service
    assert service is not None

    with pytest.raises(errdefs.Conflict, match="update out of sequence"):
        plugin_service.updated(service, service.service.version + 1, service.spec, 1)
    with pytest.raises(errdefs.Conflict, match="does not have a previous spec"):
        plugin_service.rolled_back(service, service.service.version, 1)


def test_a_person_rolls_back() -> None:
    """The previous spec is the service's again, and the other one its previous."""
    fleet = Fleet("a")
    fleet.settle()
    fleet.update(plugin=PluginSpec(remote="a/p:v2"))
    fleet.settle(10)
    assert fleet.service is not None

    version = fleet.service.service.version
    fleet.service = plugin_service.rolled_back(fleet.service, version, fleet.now_ns)
    fleet.settle()
    fleet.settle(10)

    assert fleet.running("a/p:v1") == ["a"]
    assert fleet.status == UpdateState.ROLLBACK_COMPLETED
