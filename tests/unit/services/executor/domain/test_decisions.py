"""Small decisions: names, signals, health, texts."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest

from services.executor.domain import failure, layout, signals
from services.executor.domain.health import HealthState
from services.executor.domain.record import Phase, Process, Record
from shared import errdefs
from shared.contracts.executor import ContainerStatus, Exit, HealthCheck, HealthStatus


@pytest.mark.parametrize("name", ["SIGTERM", "sigterm", "TERM", " term ", "15"])
def test_signals_go_by_their_names_and_number(name: str) -> None:
    """People write signals in many ways."""
    assert signals.number_of(name) is signal.SIGTERM


@pytest.mark.parametrize("name", ["", "SIGNOPE", "0", "900", "-9"])
def test_what_is_no_signal_is_refused(name: str) -> None:
    """An unknown signal is the caller's mistake."""
    with pytest.raises(errdefs.InvalidArgument):
        signals.number_of(name)


def test_socket_paths_fit_below_the_longest_exec_root() -> None:
    """A container id of 22 bytes and a socket of 19 still make a path of AF_UNIX."""
    bundle = layout.Layout(exec_root=Path("/" + "a" * 59), node="n").bundle("i" * 22)

    assert len(str(bundle.sockets / ("s" * 19))) <= 107


@pytest.mark.parametrize("container_id", ["", ".", "..", "a/b", "-a", "conmon", "a" * 65, "a\n"])
def test_bad_container_ids_are_refused(container_id: str) -> None:
    """An id becomes the name of a folder and of a cgroup."""
    with pytest.raises(errdefs.InvalidArgument):
        layout.check_container_id(container_id)


def test_health_follows_successes_at_once_and_failures_after_retries() -> None:
    """One success makes healthy; only so many failures in a row make unhealthy."""
    state = HealthState()
    seen = []
    for problem in (None, "x", "x", None, "x", "x", "x", None):
        state = state.after(problem, HealthCheck(retries=3), age_s=0)
        seen.append(state.status)

    healthy, unhealthy = HealthStatus.HEALTHY, HealthStatus.UNHEALTHY
    assert seen == [healthy] * 6 + [unhealthy, healthy]


def test_never_healthy_stays_without_a_verdict_until_it_is_unhealthy() -> None:
    """Before the first success a container is not called healthy; what failed is kept."""
    check = HealthCheck(retries=2)
    state = HealthState(status=HealthStatus.STARTING).after("x", check, age_s=0)

    assert (state.status, state.message) == (HealthStatus.STARTING, "x")
    assert state.after("y", check, age_s=0) == HealthState(
        status=HealthStatus.UNHEALTHY, failures=2, message="y"
    )


def test_failures_of_the_start_period_count_only_once_it_was_healthy() -> None:
    """A slow start is no illness; a relapse is, however early."""
    check = HealthCheck(retries=1, start_period_s=10)
    slow = HealthState(status=HealthStatus.STARTING).after("x", check, age_s=9.9)

    assert slow == HealthState(status=HealthStatus.STARTING, message="x")
    assert slow.after("x", check, age_s=10).status is HealthStatus.UNHEALTHY
    well = slow.after(None, check, age_s=1)
    assert well.after("x", check, age_s=2).status is HealthStatus.UNHEALTHY


@pytest.mark.parametrize(
    ("changes", "frozen", "status"),
    [
        ({"phase": Phase.PREPARING}, False, ContainerStatus.STARTING),
        ({"phase": Phase.STARTING}, False, ContainerStatus.STARTING),
        ({"phase": Phase.RUNNING}, False, ContainerStatus.RUNNING),
        ({"phase": Phase.RUNNING}, True, ContainerStatus.PAUSED),
        ({"exit": Exit(exit_code=1, exited_at_ns=2)}, True, ContainerStatus.EXITED),
    ],
)
def test_status_is_told_by_phase_exit_and_freezer(
    changes: dict[str, object], frozen: bool, status: ContainerStatus
) -> None:
    """An exit outweighs all, a pause outweighs running."""
    record = Record.model_validate({"container_id": "c", "socket_dir": "/s", **changes})

    assert record.to_container(frozen=frozen).status is status


def test_an_exited_container_has_no_pid() -> None:
    """A pid that another process may have by now is not told."""
    init = Process(pid=7, birth="b")
    record = Record(container_id="c", socket_dir="/s", init=init)

    assert record.to_container(frozen=False).pid == 7
    ended = record.model_copy(update={"exit": Exit(exit_code=0, exited_at_ns=1)})
    assert ended.to_container(frozen=False).pid is None


def test_a_late_container_is_told_in_dockers_words() -> None:
    """The text begins as Go's dial errors do, and ends with the output."""
    error = failure.not_ready("c", "/s/p.sock", errno.ECONNREFUSED, 5.0, ["a", "b"])

    assert error.message.startswith("dial unix /s/p.sock: connect: connection refused: ")
    assert error.message.endswith("last output: a\nb")
    assert error.docker_unclassed


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Exit(exit_code=2, exited_at_ns=0), "exited with code 2 before"),
        (Exit(exit_code=139, exited_at_ns=0), "exited with code 139 (signal 11) before"),
        (Exit(exit_code=None, exited_at_ns=0), "ended with unknown exit code before"),
        (Exit(exit_code=137, oom_killed=True, exited_at_ns=0), "ran out of memory"),
    ],
)
def test_an_early_end_says_how(ended: Exit, words: str) -> None:
    """Signals and memory are told as what they are."""
    assert words in failure.ended_early("c", "/s/p.sock", ended, []).message


def test_a_lacking_capability_is_named() -> None:
    """The words of runc do not say which capability; ours do."""
    error = failure.not_created("c", "unable to apply caps", ["CAP_SYS_RESOURCE"])

    assert "it asks for CAP_SYS_RESOURCE, which this host does not grant" in error.message


def test_a_host_without_seccomp_is_told_what_to_do() -> None:
    """The words of runc name what is missing; ours name the way out."""
    error = failure.not_created("c", "seccomp: config provided but seccomp not supported")

    assert "WHERRY_PLUGIN_SECCOMP=unconfined" in error.message


def test_a_full_disk_is_told_as_such() -> None:
    """No room is a class of its own: the caller may free some."""
    full = OSError(errno.ENOSPC, "No space left on device", "/x")

    assert isinstance(failure.not_prepared("c", full), errdefs.ResourceExhausted)
    assert isinstance(failure.not_prepared("c", OSError(errno.EIO, "I/O", "/x")), errdefs.Internal)
