"""How containers are followed to their end, when who supervises them does not do its part."""

from __future__ import annotations

import errno
import signal
from dataclasses import dataclass, field

from services.executor.domain.record import Record
from services.executor.service.watch import Held, Watch
from shared.contracts.executor import Exit
from tests.support.bus import FakePublisher
from tests.support.host import FakeHost
from tests.support.wait import all_have_run, eventually

_LIMIT_S = 0.01


@dataclass
class Scene:
    """A container that is followed: its own process has pid 1, its supervisor 2."""

    host: FakeHost = field(default_factory=FakeHost)
    publisher: FakePublisher = field(default_factory=FakePublisher)

    def __post_init__(self) -> None:
        self.watch = Watch(self.host.host(), self.publisher, record_limit_s=_LIMIT_S)

    def hold(self) -> Held:
        """Begin it."""
        begin = self.host.processes.begin
        record = Record(container_id="c-1", socket_dir="/s", init=begin(1), conmon=begin(2))
        return self.watch.hold(record, committed=True)


async def test_a_supervisor_that_hangs_hides_no_end() -> None:
    """The end of a container is told though its supervisor, which is killed, never records it."""
    scene = Scene()
    held = scene.hold()

    scene.host.processes.end(1)
    await held.ended.wait()
    await scene.watch.close()

    assert scene.host.processes.sent == [(2, signal.SIGKILL)]
    assert held.record.exit == Exit(exit_code=None, exited_at_ns=1_000)
    assert not held.record.degraded


async def test_a_supervisor_is_given_time_to_record_the_end() -> None:
    """The exit code is what the supervisor records, though it ends a little after its container."""
    scene = Scene()
    held = scene.hold()

    scene.host.processes.end(1)
    scene.host.bundles.exits["c-1"] = Exit(exit_code=3, exited_at_ns=7)
    scene.host.processes.end(2)
    await held.ended.wait()
    await scene.watch.close()

    assert scene.host.processes.sent == []
    assert held.record.exit == Exit(exit_code=3, exited_at_ns=7)


def _no_descriptors(times: int) -> list[Exception]:
    return [OSError(errno.EMFILE, "Too many open files") for _ in range(times)]


async def test_what_can_not_be_followed_for_a_moment_is_followed_later() -> None:
    """A container's end is told though nothing of it could be looked at as it began."""
    scene = Scene()
    held = scene.hold()
    scene.host.processes.errors = _no_descriptors(2)
    scene.host.bundles.watch_errors = _no_descriptors(1)
    await all_have_run()

    scene.host.processes.end(1)
    scene.host.processes.end(2)
    await eventually(held.ended.is_set)
    await scene.watch.close()


async def test_a_supervisor_that_can_not_be_followed_for_a_moment() -> None:
    """Its death is told though it could not be looked at before."""
    scene = Scene()
    held = scene.hold()
    scene.host.processes.errors = _no_descriptors(2)
    await all_have_run()

    scene.host.processes.end(2)
    await eventually(lambda: held.record.degraded)
    await scene.watch.close()


async def test_a_folder_that_can_not_be_watched_for_a_moment() -> None:
    """That the kernel killed is told though the folder could not be watched before."""
    scene = Scene()
    held = scene.hold()
    scene.host.bundles.watch_errors = _no_descriptors(1)
    await all_have_run()

    scene.host.bundles.run_out_of_memory("c-1")
    await eventually(lambda: held.record.ran_out_of_memory)
    await scene.watch.close()


async def test_what_can_not_be_looked_at_is_held() -> None:
    """A container of which nobody can tell whether it has ended is followed until that is known."""
    scene = Scene()
    scene.host.processes.errors = _no_descriptors(1)

    held = scene.hold()
    assert not held.ended.is_set()
    scene.host.processes.end(1)
    scene.host.processes.end(2)
    await eventually(held.ended.is_set)
    await scene.watch.close()
