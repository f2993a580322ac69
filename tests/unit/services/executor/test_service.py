"""The executor's handlers on a host in memory."""

from __future__ import annotations

import asyncio
import errno
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.executor.domain.record import Phase, Process, Record
from services.executor.ports import RuntimeStatus
from services.executor.service.executor import Executor
from shared import errdefs
from shared.contracts.executor import (
    CheckContainer,
    Container,
    ContainerConfig,
    ContainerExited,
    ContainerObserved,
    ContainerStatus,
    DeleteContainer,
    DiscardContainer,
    ExecutorStarted,
    Exit,
    GetContainer,
    HealthCheck,
    HealthStatus,
    ListContainers,
    PropagatedMount,
    Ready,
    ReleaseNode,
    SignalContainer,
    StartContainer,
    StopContainer,
)
from shared.contracts.message import Done
from tests.support.bus import FakePublisher, delivery
from tests.support.host import FakeHost
from tests.support.spans import recorded
from tests.support.wait import eventually

_CONFIG = ContainerConfig(rootfs="/rootfs", args=("/p",))
_READY = Ready(unix_socket="p.sock", deadline_s=5)


class Scene:
    """An executor on a host in memory."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.publisher = FakePublisher()
        self.executor = self.new_executor()

    def new_executor(self) -> Executor:
        """Make an executor on the same host, as after a restart."""
        return Executor(self.host.host(), self.publisher, log_check_interval_s=1)

    async def start(self, container_id: str = "c-1", **more: Any) -> Container:
        """Start a container."""
        command = StartContainer(
            **{"container_id": container_id, "config": _CONFIG, "ready": _READY, **more}
        )
        return (await self.executor.start_container(command, delivery())).container

    async def stop(self, container_id: str = "c-1", grace_s: float = 5) -> Container:
        """Stop a container."""
        command = StopContainer(container_id=container_id, grace_s=grace_s)
        return (await self.executor.stop_container(command, delivery())).container

    async def delete(self, container_id: str = "c-1") -> None:
        """Delete a container."""
        await self.executor.delete_container(DeleteContainer(container_id=container_id), delivery())

    async def get(self, container_id: str = "c-1") -> Container:
        """Return a container."""
        command = GetContainer(container_id=container_id)
        return (await self.executor.get_container(command, delivery())).container

    async def settle(self) -> None:
        """Let all that can go on go on."""
        for _ in range(20):
            await asyncio.sleep(0)

    def exits(self) -> list[str]:
        """Return the ids of the containers whose exit was published."""
        return [
            message.container_id
            for message in self.publisher.published
            if isinstance(message, ContainerExited)
        ]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Give the test an executor, and end what it follows."""
    scene = Scene()
    yield scene
    await scene.executor.close()


def record(container_id: str, **changes: Any) -> Record:
    """Return a record as an earlier executor may have left it."""
    return Record(container_id=container_id, socket_dir="/s", **changes)


async def test_a_started_container_runs(scene: Scene) -> None:
    """A start creates, starts, waits, and answers with the process."""
    container = await scene.start()

    assert container.status is ContainerStatus.RUNNING
    assert container.pid == 101
    assert container.started_at_ns == 1_000
    assert scene.host.runtime.calls == [("start", "c-1")]
    assert scene.host.mounts.shared == ["data root"]


async def test_a_container_that_runs_once_it_is_created_is_not_started_again(
    scene: Scene,
) -> None:
    """Where creation and start are one call, there is no second one."""
    scene.host.supervisor.starts = True

    container = await scene.start()

    assert container.status is ContainerStatus.RUNNING
    assert scene.host.runtime.calls == []


async def test_a_repeat_waits_with_the_first_and_finds_its_container(scene: Scene) -> None:
    """Two starts of one id, one of them waiting, create one container."""
    scene.host.sockets.refuse()
    starts = [asyncio.create_task(scene.start()) for _ in range(2)]
    await scene.settle()

    scene.host.sockets.error = 0
    scene.host.sockets.ready.set()

    first, second = await asyncio.gather(*starts)
    assert first == second
    assert scene.host.supervisor.created == ["c-1"]


@pytest.mark.parametrize(
    ("arrival", "is_told"),
    [
        pytest.param({}, False, id="prompt"),
        pytest.param({"attempt": 2}, True, id="a repeat"),
        pytest.param({"stream_id": "1-0"}, True, id="old"),
    ],
)
async def test_a_start_that_comes_late_is_told(
    scene: Scene, arrival: dict[str, Any], *, is_told: bool
) -> None:
    """Its sender may have deleted the container since, and forgot it: who owns it shall look."""
    scene.host.clock.ns = time.time_ns()
    command = StartContainer(container_id="c-1", config=_CONFIG, ready=_READY)

    await scene.executor.start_container(command, delivery(**arrival))

    told = [ContainerObserved(container_id="c-1", degraded=False, health=HealthStatus.NONE)]
    assert scene.publisher.published == (told if is_told else [])


async def test_other_containers_do_not_wait(scene: Scene) -> None:
    """A container that is not ready holds up no other."""
    scene.host.sockets.refuse()
    waiting = asyncio.create_task(scene.start("c-1"))
    await scene.settle()

    assert (await scene.start("c-2", ready=None)).status is ContainerStatus.RUNNING

    waiting.cancel()
    await asyncio.wait([waiting])


async def test_a_container_that_is_late_is_stopped_and_removed(scene: Scene) -> None:
    """After the deadline nothing is left, and no exit is published."""
    scene.host.sockets.refuse(errno.ECONNREFUSED)
    scene.host.logs.lines = ["starting", "still starting"]

    with pytest.raises(errdefs.DeadlineExceeded, match="connection refused") as caught:
        await scene.start(ready=Ready(unix_socket="p.sock", deadline_s=0.01))

    assert caught.value.detail["output"] == ["starting", "still starting"]
    assert scene.host.processes.sent == [(101, signal.SIGTERM)]
    assert scene.host.bundles.container_ids() == []
    assert scene.publisher.published == []


async def test_a_container_that_is_ready_at_the_last_moment_is_ready(scene: Scene) -> None:
    """The socket is asked once more after the deadline."""
    scene.host.sockets.ready.clear()

    container = await scene.start(ready=Ready(unix_socket="p.sock", deadline_s=0.01))

    assert container.status is ContainerStatus.RUNNING


async def test_an_end_before_ready_is_the_starts_alone_to_tell(scene: Scene) -> None:
    """A container that ends while it is waited for fails the start, and nothing else."""
    scene.host.sockets.refuse()
    scene.host.bundles.exits["c-1"] = Exit(exit_code=9, exited_at_ns=5)
    starting = asyncio.create_task(scene.start())
    await scene.settle()

    scene.host.processes.end(101)

    with pytest.raises(errdefs.Error, match="exited with code 9 before its socket"):
        await starting
    assert scene.publisher.published == []
    assert scene.host.bundles.container_ids() == []


async def test_a_failed_creation_is_undone(scene: Scene) -> None:
    """What the runtime refuses leaves no folder."""
    scene.host.supervisor.error = errdefs.InvalidArgument("no such program")

    with pytest.raises(errdefs.InvalidArgument, match="no such program"):
        await scene.start()

    assert scene.host.bundles.container_ids() == []
    assert ("delete", "c-1") in scene.host.runtime.calls


async def test_a_failed_undoing_does_not_hide_the_cause_and_is_done_again(scene: Scene) -> None:
    """The caller hears why the start failed; the next start clears up first."""
    scene.host.supervisor.error = errdefs.InvalidArgument("no such program")
    scene.host.mounts.error = errdefs.Conflict("busy")
    with pytest.raises(errdefs.InvalidArgument, match="no such program"):
        await scene.start()
    assert scene.host.bundles.container_ids() == ["c-1"]

    scene.host.supervisor.error = None
    scene.host.mounts.error = None
    await scene.start()

    assert scene.host.runtime.calls == [("delete", "c-1"), ("delete", "c-1"), ("start", "c-1")]


async def test_a_cancelled_start_is_undone(scene: Scene) -> None:
    """A start that nobody waits for any longer leaves nothing."""
    scene.host.sockets.refuse()
    starting = asyncio.create_task(scene.start())
    await scene.settle()

    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert scene.host.bundles.container_ids() == []
    assert scene.publisher.published == []


async def test_a_folder_is_shared_as_long_as_somebody_uses_it(scene: Scene) -> None:
    """A propagated folder that the next container uses already stays shared."""
    config = _CONFIG.model_copy(
        update={"propagated_mount": PropagatedMount(source="/p", destination="/mnt")}
    )
    await scene.start("c-1", config=config)
    await scene.start("c-2", config=config)

    await scene.stop("c-1")
    await scene.delete("c-1")
    assert scene.host.mounts.unmounted == []
    await scene.stop("c-2")
    await scene.delete("c-2")

    assert scene.host.mounts.unmounted == ["/p"]


async def test_a_failed_deletion_stays_listed_and_a_repeat_finishes_it(scene: Scene) -> None:
    """Who compares lists finds a container of which something is left, and deletes it again."""
    await scene.start()
    await scene.stop()
    scene.host.mounts.error = errdefs.Conflict("busy")
    for _ in range(2):
        with pytest.raises(errdefs.Conflict, match="busy"):
            await scene.delete()
        assert [one.container_id for one in scene.executor.containers()] == ["c-1"]
    with pytest.raises(errdefs.Conflict, match="c-1"):
        await scene.executor.release_node(ReleaseNode(), delivery())

    scene.host.mounts.error = None
    await scene.delete()

    assert scene.executor.containers() == ()
    assert scene.host.bundles.container_ids() == []


async def test_a_half_deleted_container_is_told_as_one_that_ended(scene: Scene) -> None:
    """It has no health and no late events any more; its exit alone is told again."""
    scene.host.runtime.exec_answers = ["bad"]
    await scene.start(health=HealthCheck(exec=("/check",), retries=1))
    await scene.settle()
    await scene.stop()
    scene.host.mounts.error = errdefs.Conflict("busy")
    with pytest.raises(errdefs.Conflict, match="busy"):
        await scene.delete()
    scene.publisher.published.clear()

    scene.host.bundles.run_out_of_memory("c-1")
    await scene.settle()
    assert scene.publisher.published == []
    await scene.executor.announce()

    assert scene.exits() == ["c-1"]
    with pytest.raises(errdefs.Conflict):
        await scene.start()


async def test_a_half_deleted_container_is_deleted_by_the_next_executor(scene: Scene) -> None:
    """An executor that dies between two tries leaves one that is listed, and can be deleted."""
    await scene.start()
    await scene.stop()
    scene.host.mounts.error = errdefs.Conflict("busy")
    with pytest.raises(errdefs.Conflict, match="busy"):
        await scene.delete()
    await scene.executor.close()
    scene.executor = scene.new_executor()
    await scene.executor.restore()
    scene.host.mounts.error = None

    assert [one.container_id for one in scene.executor.containers()] == ["c-1"]
    await scene.delete()

    assert scene.host.bundles.container_ids() == []


async def test_a_folder_of_a_half_deleted_container_is_unshared_once(scene: Scene) -> None:
    """A container that is listed because it could not be deleted does not keep its own folder."""
    folder = PropagatedMount(source="/p", destination="/mnt")
    await scene.start(config=_CONFIG.model_copy(update={"propagated_mount": folder}))
    await scene.stop()
    scene.host.mounts.error = errdefs.Conflict("busy")
    with pytest.raises(errdefs.Conflict, match="busy"):
        await scene.delete()
    scene.host.mounts.error = None

    await scene.delete()

    assert scene.host.mounts.unmounted == ["/p"]


async def test_a_start_begins_anew_after_one_that_could_not_be_undone(scene: Scene) -> None:
    """A container that was never ready has not ended for its next start: it is made anew."""
    scene.host.sockets.refuse()
    scene.host.mounts.error = errdefs.Conflict("busy")
    with pytest.raises(errdefs.DeadlineExceeded):
        await scene.start(ready=Ready(unix_socket="p.sock", deadline_s=0.01))
    assert [one.container_id for one in scene.executor.containers()] == ["c-1"]
    scene.host.mounts.error = None
    scene.host.sockets.error = 0
    scene.host.sockets.ready.set()

    container = await scene.start()

    assert (container.status, container.pid) == (ContainerStatus.RUNNING, 102)
    assert scene.exits() == []


async def test_stop_escalates(scene: Scene) -> None:
    """A program that ignores SIGTERM gets SIGKILL after the grace."""
    await scene.start()
    scene.host.processes.deadly = {signal.SIGKILL}

    await scene.stop(grace_s=0.01)

    assert scene.host.processes.sent == [(101, signal.SIGTERM), (101, signal.SIGKILL)]


async def test_stop_lets_a_paused_container_go_on(scene: Scene) -> None:
    """A paused process gets its signal and then goes on, or it would never see it."""
    await scene.start()
    scene.host.cgroups.frozen.add("c-1")

    await scene.stop()

    assert scene.host.runtime.calls[-1] == ("resume", "c-1")


async def test_discard_stops_and_deletes(scene: Scene) -> None:
    """One order ends a container and all that is left of it; a repeat finds nothing."""
    await scene.start()
    command = DiscardContainer(container_id="c-1", grace_s=5)

    for _ in range(2):
        await scene.executor.discard_container(command, delivery())

    assert scene.host.processes.sent == [(101, signal.SIGTERM)]
    assert scene.host.bundles.container_ids() == []
    with pytest.raises(errdefs.NotFound):
        await scene.get()


async def test_discard_goes_on_where_a_stop_was(scene: Scene) -> None:
    """A container that has ended already is only deleted."""
    await scene.start()
    await scene.stop()
    sent = list(scene.host.processes.sent)

    command = DiscardContainer(container_id="c-1")
    await scene.executor.discard_container(command, delivery())

    assert scene.host.processes.sent == sent
    assert scene.host.bundles.container_ids() == []


async def test_an_exit_is_published_under_the_containers_id(scene: Scene) -> None:
    """The exit of a running container is a message whose id is the container's."""
    await scene.start()
    scene.host.bundles.exits["c-1"] = Exit(exit_code=3, exited_at_ns=7)

    scene.host.processes.end(101)
    await scene.settle()

    told = ContainerExited(container_id="c-1", exit=Exit(exit_code=3, exited_at_ns=7))
    assert scene.publisher.published == [told]
    assert scene.publisher.message_ids == ["c-1"]


async def test_an_exit_is_told_at_every_start_until_it_is_deleted(scene: Scene) -> None:
    """Who missed it hears of it again; of what is deleted nothing is told."""
    await scene.start()
    scene.host.processes.end(101)
    await scene.settle()

    await scene.executor.announce()
    await scene.delete()
    await scene.executor.announce()

    assert scene.exits() == ["c-1", "c-1"]
    assert scene.publisher.published[-1] == ExecutorStarted()


async def test_an_exit_that_the_bus_refused_is_told_once_it_takes_it(scene: Scene) -> None:
    """A bus that refused what it was told, and never went away, costs nothing."""
    await scene.start()
    scene.publisher.error = errdefs.Unavailable("the message bus refuses")
    scene.host.processes.end(101)
    await scene.settle()

    scene.publisher.error = None
    await eventually(lambda: ExecutorStarted() in scene.publisher.published)

    assert scene.exits() == ["c-1"]


async def test_a_start_that_the_bus_refused_is_told_once_it_takes_it(scene: Scene) -> None:
    """The executor's own beginning is not lost either, nor what its containers became before."""
    await scene.start()
    scene.host.processes.end(101)
    await scene.settle()
    scene.publisher.published.clear()
    scene.publisher.error = errdefs.Unavailable("the message bus refuses")
    await scene.executor.announce()

    scene.publisher.error = None
    await eventually(lambda: ExecutorStarted() in scene.publisher.published)

    assert scene.exits() == ["c-1"]


async def test_what_is_announced_is_not_announced_again(scene: Scene) -> None:
    """A bus that is found again is told all, and nothing that it refused before is left to tell."""
    await scene.start()
    scene.publisher.error = errdefs.Unavailable("the message bus refuses")
    scene.host.processes.end(101)
    await scene.settle()
    scene.publisher.error = None

    await scene.executor.announce()

    assert scene.exits() == ["c-1"]
    assert "publish again" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_close_tells_nothing_any_more(scene: Scene) -> None:
    """An executor that ends while the bus refuses waits for nothing, and leaves no task."""
    await scene.start()
    scene.publisher.error = errdefs.Unavailable("the message bus refuses")
    scene.host.processes.end(101)
    await scene.settle()

    await scene.executor.close()

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_unrecorded_exit_keeps_its_time(scene: Scene) -> None:
    """An exit that nobody recorded has no code, and the same time however often it is told."""
    await scene.start()
    scene.host.bundles.run_out_of_memory("c-1")
    scene.host.processes.end(101)
    await scene.settle()
    scene.host.clock.ns += 1_000_000

    assert (await scene.get()).exit == Exit(exit_code=None, oom_killed=True, exited_at_ns=1_000)
    scene.executor = scene.new_executor()
    await scene.executor.restore()
    assert (await scene.get()).exit == Exit(exit_code=None, oom_killed=True, exited_at_ns=1_000)


async def test_a_kill_that_no_supervisor_saw_is_told(scene: Scene) -> None:
    """A program may run out of memory before its supervisor looks for that: the kernel counted."""
    await scene.start()
    scene.host.cgroups.killed.add("c-1")

    scene.host.processes.end(101)
    await scene.settle()

    assert (await scene.get()).exit == Exit(exit_code=None, oom_killed=True, exited_at_ns=1_000)


async def test_a_dead_supervisor_is_observed_once(scene: Scene) -> None:
    """A container that lost its supervisor is degraded; its end has no code."""
    await scene.start()

    scene.host.processes.end(201)
    await scene.settle()
    observed = scene.publisher.published[-1]
    scene.host.processes.end(101)
    await scene.settle()

    assert isinstance(observed, ContainerObserved)
    assert observed.degraded
    assert (await scene.get()).exit is not None
    assert scene.exits() == ["c-1"]


async def test_health_is_published_when_it_changes(scene: Scene) -> None:
    """Checks that say the same again are not told again."""
    scene.host.runtime.exec_answers = [None, None, "bad", "bad", "bad", None, None, None]
    await scene.start(health=HealthCheck(exec=("/check",), retries=2))
    for _ in range(3):
        await scene.settle()

    told = [
        (message.health, message.message)
        for message in scene.publisher.published
        if isinstance(message, ContainerObserved)
    ]

    assert told == [
        (HealthStatus.HEALTHY, ""),
        (HealthStatus.HEALTHY, "bad"),
        (HealthStatus.UNHEALTHY, "bad"),
        (HealthStatus.HEALTHY, ""),
    ]


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EAGAIN, "Resource temporarily unavailable"), errdefs.Unavailable("no runc")],
    ids=["fork", "runc"],
)
async def test_a_check_that_can_not_be_made_is_no_verdict(scene: Scene, error: Exception) -> None:
    """It changes nothing, and the next one is made at its time."""
    await scene.start(health=HealthCheck(exec=("/check",), retries=1))
    await scene.settle()
    assert (await scene.get()).health is HealthStatus.HEALTHY

    scene.host.runtime.errors = [error]
    await eventually(lambda: not scene.host.runtime.errors)
    assert (await scene.get()).health is HealthStatus.HEALTHY

    scene.host.runtime.exec_answers = ["bad"]
    await scene.settle()
    assert (await scene.get()).health is HealthStatus.UNHEALTHY


async def test_health_check_can_be_changed_while_it_runs(scene: Scene) -> None:
    """Another check begins at once and without a verdict; none leaves no verdict; a repeat is."""
    scene.host.runtime.exec_answers = ["bad"]
    await scene.start(health=HealthCheck(exec=("/check",), retries=1))
    await scene.settle()
    assert (await scene.get()).health is HealthStatus.UNHEALTHY

    call = HealthCheck(unix_socket="p.sock", call="VolumeDriver.List", interval_s=3600)
    for _ in range(2):
        await scene.executor.check_container(
            CheckContainer(container_id="c-1", health=call), delivery()
        )
        await scene.settle()

    now = await scene.get()
    assert (now.health, now.health_message, now.health_check) == (HealthStatus.HEALTHY, "", call)
    assert set(scene.host.sockets.called) == {("p.sock", "VolumeDriver.List")}
    none = CheckContainer(container_id="c-1", health=None)
    reply = await scene.executor.check_container(none, delivery())
    assert (reply.container.health, reply.container.health_check) == (HealthStatus.NONE, None)


async def test_socket_of_a_health_check_lies_in_the_container_s_folder(scene: Scene) -> None:
    """A check can't be led elsewhere."""
    await scene.start()

    with pytest.raises(errdefs.InvalidArgument, match="plain file name"):
        await scene.executor.check_container(
            CheckContainer(container_id="c-1", health=HealthCheck(unix_socket="../x")), delivery()
        )


async def test_a_paused_container_is_not_checked(scene: Scene) -> None:
    """A container that was paused on purpose is not called unhealthy for it."""
    scene.host.runtime.exec_answers = ["bad"]
    scene.host.cgroups.frozen.add("c-1")

    await scene.start(health=HealthCheck(exec=("/check",), retries=1))
    await scene.settle()

    assert scene.publisher.published == []


async def test_restore_sorts_what_it_finds(scene: Scene) -> None:
    """Half-made containers go, running ones are taken up, ended ones are told."""
    host = scene.host
    host.processes.supervisors[11] = 21
    alive = {"init": host.processes.begin(11), "conmon": host.processes.begin(21)}
    gone = {"init": Process(pid=5, birth="x"), "conmon": Process(pid=6, birth="x")}
    for kept in (
        record("cut-off"),
        record("created", phase=Phase.STARTING, **alive),
        record("never-seen", phase=Phase.STARTING, **gone),
        record("started", phase=Phase.STARTING, **alive),
        record("running", phase=Phase.RUNNING, **alive),
        record("vanished", phase=Phase.RUNNING, **gone),
    ):
        host.bundles.save(kept)
    host.bundles.empty.add("empty")
    host.runtime.statuses = {"created": RuntimeStatus.CREATED, "started": RuntimeStatus.RUNNING}

    await scene.executor.restore()
    await scene.executor.announce()

    listed = await scene.executor.list_containers(ListContainers(), delivery())
    assert {container.container_id: container.status for container in listed.containers} == {
        "started": ContainerStatus.STARTING,
        "running": ContainerStatus.RUNNING,
        "vanished": ContainerStatus.EXITED,
    }
    assert scene.host.bundles.container_ids() == ["running", "started", "vanished"]
    assert scene.exits() == ["vanished"]
    assert scene.publisher.published[-1] == ExecutorStarted()


async def test_restore_goes_on_after_a_failure(scene: Scene) -> None:
    """One container that can't be cleared up does not keep others from being taken up."""
    scene.host.bundles.empty.add("a")
    scene.host.mounts.error = errdefs.Conflict("busy")
    process = scene.host.processes.begin(11)
    scene.host.bundles.save(record("b", phase=Phase.RUNNING, init=process, conmon=process))

    await scene.executor.restore()

    assert (await scene.get("b")).status is ContainerStatus.RUNNING


async def test_what_can_not_be_taken_up_for_a_moment_is_taken_up_later(scene: Scene) -> None:
    """A record that can't be read, or a runtime that does not answer, costs no container."""
    host = scene.host
    alive = {"init": host.processes.begin(11), "conmon": host.processes.begin(21)}
    host.bundles.save(record("started", phase=Phase.STARTING, **alive))
    host.bundles.save(record("unread", phase=Phase.RUNNING, **alive))
    host.bundles.save(record("well", phase=Phase.RUNNING, **alive))
    host.bundles.load_errors["unread"] = OSError(errno.EMFILE, "Too many open files")
    host.runtime.errors = [errdefs.Internal("no answer")]
    host.runtime.statuses = {"started": RuntimeStatus.RUNNING}

    await scene.executor.restore()
    assert [each.container_id for each in scene.executor.containers()] == ["well"]
    await eventually(lambda: len(scene.executor.containers()) == 3)

    await eventually(lambda: scene.publisher.published.count(ExecutorStarted()) == 2)
    assert host.bundles.container_ids() == ["started", "unread", "well"]


async def test_what_is_not_taken_up_yet_is_not_told_as_gone(scene: Scene) -> None:
    """Nobody takes it for dead, deletes it alive or starts it once more: they ask again."""
    process = scene.host.processes.begin(11)
    scene.host.bundles.save(record("c-1", phase=Phase.RUNNING, init=process, conmon=process))
    scene.host.bundles.load_errors["c-1"] = OSError(errno.EMFILE, "Too many open files")
    await scene.executor.restore()

    async def release() -> Done:
        return await scene.executor.release_node(ReleaseNode(), delivery())

    for asked in (scene.get, scene.start, scene.stop, scene.delete, release):
        with pytest.raises(errdefs.Unavailable, match="could not be looked at yet"):
            await asked()
    await eventually(lambda: ExecutorStarted() in scene.publisher.published)

    assert (await scene.get()).status is ContainerStatus.RUNNING
    assert scene.host.runtime.calls == []


async def test_what_is_not_taken_up_yet_can_be_discarded(scene: Scene) -> None:
    """Its owner wants nothing of it any more, so it need not be looked at."""
    process = scene.host.processes.begin(11)
    scene.host.bundles.save(record("c-1", phase=Phase.RUNNING, init=process, conmon=process))
    scene.host.bundles.load_errors["c-1"] = OSError(errno.EMFILE, "Too many open files")
    await scene.executor.restore()

    command = DiscardContainer(container_id="c-1", grace_s=5)
    await scene.executor.discard_container(command, delivery())

    assert scene.host.bundles.container_ids() == []


async def test_what_is_half_made_is_removed_as_soon_as_it_can_be(scene: Scene) -> None:
    """Not only at the next start: what is in its way goes by itself."""
    scene.host.bundles.save(record("c-1", phase=Phase.PREPARING))
    scene.host.mounts.error = errdefs.Conflict("busy")
    await scene.executor.restore()
    assert scene.host.bundles.container_ids() == ["c-1"]
    scene.host.mounts.error = None

    await eventually(lambda: scene.host.bundles.container_ids() == [])


async def test_a_full_log_is_rotated_while_somebody_writes_it(scene: Scene) -> None:
    """The log of a container that has ended stays as it is."""
    await scene.executor.restore()
    await scene.start("c-1")
    await scene.start("c-2")
    scene.host.processes.end(102)
    await scene.settle()

    scene.host.logs.full = {"c-1", "c-2"}
    await scene.settle()

    assert scene.host.logs.rotated == ["c-1"]
    assert scene.host.supervisor.reopened == ["c-1"]


async def test_what_is_not_there_is_not_found(scene: Scene) -> None:
    """Every verb but delete says that there is no such container."""
    for handler, command in (
        (scene.executor.get_container, GetContainer(container_id="x")),
        (scene.executor.stop_container, StopContainer(container_id="x")),
        (scene.executor.signal_container, SignalContainer(container_id="x", signal="HUP")),
    ):
        with pytest.raises(errdefs.NotFound, match="container x does not exist"):
            await handler(command, delivery())  # type: ignore[arg-type]  # by name
    await scene.delete("x")


async def test_an_ended_container_takes_no_signal(scene: Scene) -> None:
    """A signal to what has ended is a conflict, not a success."""
    await scene.start()
    await scene.stop()

    with pytest.raises(errdefs.Conflict, match="nothing to signal"):
        await scene.executor.signal_container(
            SignalContainer(container_id="c-1", signal="HUP"), delivery()
        )


async def test_a_start_is_traced_step_by_step(scene: Scene) -> None:
    """Each step of a start is a span that names the container."""
    with recorded() as exporter:
        await scene.start()

    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == [
        "prepare bundle",
        "note creation",
        "readiness",
        "note start",
    ]
    assert {(span.attributes or {}).get("container.id") for span in spans} == {"c-1"}
