"""The steps of a task."""

from __future__ import annotations

import pytest

from services.controller.domain import task
from services.controller.domain.task import Step, TaskRecord
from shared import errdefs
from shared.contracts.swarm import PluginSpec, ServiceSpec, TaskState
from tests.support.plugin_backend import installed

SPEC = ServiceSpec(name="s", plugin=PluginSpec(remote="a/p:v1"))


def record(state: TaskState = TaskState.NEW, desired: TaskState = TaskState.RUNNING) -> TaskRecord:
    """Return a task in a state, with another one desired."""
    new = task.begun("t", "s", "n", "id", SPEC, 1)
    status = new.task.status.model_copy(update={"state": state})
    now = new.task.model_copy(update={"status": status, "desired_state": desired})
    return new.model_copy(update={"task": now})


def test_a_task_goes_through_all_states_to_running() -> None:
    """One step at a time, each with swarm's word for it."""
    now, words = record(), []
    while now.state is not TaskState.RUNNING:
        step = task.next_step(now)
        assert step is not None
        now = task.advanced(now, step, 2)
        words.append(f"{now.state}: {now.task.status.message}")

    assert words == [
        "accepted: accepted",
        "preparing: preparing",
        "ready: prepared",
        "starting: starting",
        "running: started",
    ]
    assert task.next_step(now) is Step.WAIT


@pytest.mark.parametrize("state", [s for s in TaskState if not s.is_terminal])
def test_shutdown_is_the_step_of_any_live_task_that_is_to_end(state: TaskState) -> None:
    """Whatever it was doing, what is desired beyond running is that it ends."""
    assert task.next_step(record(state, TaskState.SHUTDOWN)) is Step.SHUTDOWN
    assert task.next_step(record(state, TaskState.REMOVE)) is Step.SHUTDOWN


@pytest.mark.parametrize("state", [s for s in TaskState if s.is_terminal])
def test_a_task_that_ended_does_nothing_more_than_leave(state: TaskState) -> None:
    """It is not started again; its part of the plugin is given up once, when it is to leave."""
    ended = record(state, TaskState.SHUTDOWN)

    assert task.next_step(ended) is None
    leaving = ended.model_copy(update={"is_leaving": True})
    assert task.next_step(leaving) is Step.REMOVE
    assert task.next_step(task.advanced(leaving, Step.REMOVE, 2)) is None


def test_a_task_waits_where_it_is_desired() -> None:
    """Prepared while READY is desired, it does not start yet; a step begun goes on."""
    assert task.next_step(record(TaskState.READY, TaskState.READY)) is None
    assert task.next_step(record(TaskState.PREPARING, TaskState.READY)) is Step.PREPARE
    assert task.next_step(record(TaskState.RUNNING, TaskState.READY)) is None
    assert task.next_step(record(TaskState.READY)) is Step.BEGIN_START


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (TaskState.PREPARING, TaskState.REJECTED),
        (TaskState.READY, TaskState.REJECTED),
        (TaskState.STARTING, TaskState.FAILED),
        (TaskState.RUNNING, TaskState.FAILED),
    ],
)
def test_an_error_rejects_before_the_start_and_fails_from_then_on(
    state: TaskState, expected: TaskState
) -> None:
    """The task says why, and with which exit code."""
    error = errdefs.Conflict("it ended", detail={"exit_code": 3})

    status = task.failed(record(state), error, 2).task.status

    assert (status.state, status.error, status.exit_code) == (expected, "it ended", 3)


@pytest.mark.parametrize(
    ("error", "is_temporary"),
    [
        (errdefs.Unavailable("x"), True),
        (errdefs.DeadlineExceeded("x"), True),
        (errdefs.DeadlineExceeded("socket", docker_unclassed=True), False),
        (errdefs.Conflict("x", detail={"job": "j"}), True),
        (errdefs.Conflict("x", detail={"fenced": True}), True),
        (errdefs.Conflict("x"), False),
        (errdefs.PermissionDenied("x"), False),
        (errdefs.NotFound("x"), False),
    ],
)
def test_what_may_pass_is_tried_again(error: errdefs.Error, is_temporary: bool) -> None:
    """A part that is away, or a job that has the plugin, is no end of the task."""
    assert task.is_temporary(error) is is_temporary


def test_what_hinders_is_shown_and_goes_with_the_next_step() -> None:
    """The state stays; the same reason is not written twice."""
    hindered = task.hindered(record(TaskState.PREPARING), errdefs.Unavailable("away"), 2)

    assert (hindered.state, hindered.task.status.error) == (TaskState.PREPARING, "away")
    assert task.hindered(hindered, errdefs.Unavailable("away"), 3) is hindered
    assert task.advanced(hindered, Step.PREPARE, 3).task.status.error == ""


def test_an_unhealthy_plugin_shows() -> None:
    """The task runs on, and says what is wrong; well again, it says nothing."""
    plugin = installed("p:latest", "a/p:v1")
    sick = plugin.model_copy(
        update={
            "status": plugin.status.model_copy(
                update={"health": "unhealthy", "health_message": "no answer", "container_id": "c"}
            )
        }
    )
    running = record(TaskState.RUNNING)

    seen = task.observed(running, sick, 2)

    assert seen.task.status.error == "unhealthy plugin: no answer"
    assert seen.task.status.container_id == "c"
    assert task.observed(seen, sick, 3) is seen
    assert task.observed(seen, plugin, 4).task.status.error == ""


def test_each_change_is_another_version() -> None:
    """Readers tell by it that they have seen the newest."""
    new = record()

    assert task.desired(new, TaskState.SHUTDOWN, 2).task.version == new.task.version + 1
    assert task.desired(new, TaskState.RUNNING, 2) is new
