"""The parent with test services, real processes and a real redis-server."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.small_node import SmallNode, until

_LIMIT_S = 60.0


@pytest.fixture
def node() -> Iterator[SmallNode]:
    """Give the test a node of its own."""
    with SmallNode() as node:
        yield node


def _stop(parent: subprocess.Popen[bytes]) -> int:
    parent.send_signal(signal.SIGTERM)
    return parent.wait(timeout=_LIMIT_S)


def _ping(node: SmallNode) -> bytes:
    return _asked(node, b"PING\r\n")


def _asked(node: SmallNode, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_LIMIT_S)
        client.connect(str(node.exec_root / "redis.sock"))
        client.sendall(command)
        return client.recv(64)


def _answers(node: SmallNode) -> bool:
    try:
        return _ping(node) == b"+PONG\r\n"
    except OSError:
        return False  # it does not listen yet


def test_stop_in_order(node: SmallNode) -> None:
    """SIGTERM ends all: the service that was started last first, redis-server last."""
    parent = node.start("first", "second")
    node.until_runs("redis", "first", "second")

    assert _stop(parent) == 0

    assert [entry["unit"] for entry in node.log("stopped")] == ["second", "first", "redis"]
    assert node.journal()[-2:] == ["second stopped", "first stopped"]
    assert node.held() == []


def test_stop_is_bounded(node: SmallNode) -> None:
    """A service that does not heed SIGTERM is killed when its grace is over."""
    parent = node.start("deaf", "first")
    node.until_runs("deaf", "first")

    assert _stop(parent) == 0

    assert node.log("stopped", unit="deaf", how="killed by SIGKILL")
    assert node.held() == []


def test_killed_service_is_restarted(node: SmallNode) -> None:
    """A service that is killed comes back, and the log says how it died; others are left alone."""
    node.start("first", "second")
    before = node.until_runs("first", "second")

    os.kill(before["first"], signal.SIGKILL)
    until(lambda: node.journal().count("first started") == 2, node.explain)

    assert node.until_runs("first")["first"] != before["first"]
    assert node.pid("second") == before["second"]
    (ended,) = node.log("ended")
    assert (ended["unit"], ended["pid"]) == ("first", before["first"])
    assert (ended["how"], ended["back_in_s"]) == ("killed by SIGKILL", 0.05)


def test_crash_loop_backs_off_and_goes_on(node: SmallNode) -> None:
    """A service that always fails is tried for ever, with pauses that double up to the cap."""
    node.start("crashing", "first")

    until(lambda: len(node.log("ended", unit="crashing")) >= 6, node.explain)

    pauses = [entry["back_in_s"] for entry in node.log("ended", unit="crashing")]
    assert pauses[:6] == [0.05, 0.1, 0.2, 0.4, 0.4, 0.4]
    assert node.log("ended")[0]["how"] == "exit status 1"
    assert "there is no such thing as a test service that works" in node.log_path.read_text()
    node.until_runs("first")


def test_killed_parent_takes_nothing_with_it(node: SmallNode) -> None:
    """Services and redis-server live on without their parent, whose lock is free."""
    parent = node.start("first", "second")
    before = node.until_runs("redis", "first", "second")

    parent.kill()
    parent.wait(timeout=_LIMIT_S)

    # A child that was forked a moment ago still has the parent's lock open.
    until(lambda: node.held() == ["first", "redis", "second"], node.explain)
    assert node.until_runs("redis", "first", "second") == before
    assert _ping(node) == b"+PONG\r\n"


def _filled(node: SmallNode) -> Path:
    """Have a redis-server take some values, end it, and return the file that it appended to."""
    parent = node.start("first")
    node.until_runs("redis")
    until(lambda: _answers(node), node.explain)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(node.exec_root / "redis.sock"))
        for number in range(100):
            client.sendall(b"SET %d %b\r\n" % (number, b"x" * 50))
            assert client.recv(64) == b"+OK\r\n"
    assert _stop(parent) == 0
    (appended,) = (node.root / "redis").glob("appendonlydir/*.incr.aof")
    return appended


@pytest.mark.parametrize(
    "wrong", [b"broken" * 20, b"\xff50", b"$40"], ids=["words", "byte", "length"]
)
def test_a_redis_whose_file_is_broken_starts_without_it(node: SmallNode, wrong: bytes) -> None:
    """What it can't read is kept aside, and its owners' messages are sent again."""
    appended = _filled(node)
    appended.write_bytes(appended.read_bytes().replace(b"$50", wrong, 1)[:-2])

    node.start("first")

    until(lambda: (node.root / "redis" / "appendonlydir.broken").exists(), node.explain)
    until(lambda: _answers(node), node.explain)
    assert node.log("redis starts empty, for its file is broken")


@pytest.mark.parametrize("left", [-2, -9, 2000], ids=["value", "length", "amid"])
def test_a_redis_that_fails_for_another_reason_keeps_its_file(node: SmallNode, left: int) -> None:
    """An end that is cut off, which Redis reads past, is not taken for what keeps it from starting.

    Here that is a folder in its socket's place.
    """
    appended = _filled(node)
    appended.write_bytes(appended.read_bytes()[:left])
    (node.exec_root / "redis.sock").mkdir()
    node.start("first")
    until(lambda: len(node.log("ended", unit="redis")) >= 5, node.explain)

    (node.exec_root / "redis.sock").rmdir()

    until(lambda: _answers(node), node.explain)
    assert _asked(node, b"GET 1\r\n") == b"$50\r\n%b\r\n" % (b"x" * 50)
    assert not (node.root / "redis" / "appendonlydir.broken").exists()


def test_next_parent_takes_over(node: SmallNode) -> None:
    """The next parent ends the services in order, starts them anew and adopts redis-server."""
    parent = node.start("first", "second")
    before = node.until_runs("redis", "first", "second")
    parent.kill()
    parent.wait(timeout=_LIMIT_S)

    parent = node.start("first", "second")
    until(lambda: node.journal().count("second started") == 2, node.explain)
    after = node.until_runs("redis", "first", "second")

    assert after["redis"] == before["redis"]
    assert after["first"] != before["first"]
    assert node.journal()[2:4] == ["second stopped", "first stopped"]
    assert _stop(parent) == 0
    assert node.held() == []


def test_what_a_dying_parent_started_is_ended(node: SmallNode) -> None:
    """A service that takes its lock after the next parent has looked does not keep it."""
    parent = node.start("late")
    until(lambda: len(node.waiting()) == 1, node.explain)
    (left,) = node.waiting()
    parent.kill()
    parent.wait(timeout=_LIMIT_S)
    parent = node.start("late")
    until(lambda: len(node.waiting()) == 2, node.explain)

    node.let_go_on(left)
    assert node.until_runs("late") == {"late": left}
    node.let_go_on()
    until(lambda: node.is_child("late", parent.pid), node.explain)

    assert node.log("ending what an earlier parent left", unit="late", pid=left)
    assert _stop(parent) == 0


def test_what_another_supervisor_runs_is_left_alone(node: SmallNode) -> None:
    """A parent is refused a node of whose services one was started by itself, as units are."""
    with node.alone("first") as service:
        node.until_runs("first")

        assert node.start("first").wait(timeout=_LIMIT_S) == 1

        assert f"process {service.pid}, which no parent started" in node.log_path.read_text()
        assert node.pid("first") == service.pid


def test_adopted_redis_is_restarted(node: SmallNode) -> None:
    """A redis-server that was adopted and dies is replaced, though it was nobody's child."""
    parent = node.start("first")
    before = node.until_runs("redis", "first")
    parent.kill()
    parent.wait(timeout=_LIMIT_S)
    node.start("first")
    until(lambda: bool(node.log("adopted", unit="redis")), node.explain)

    os.kill(before["redis"], signal.SIGKILL)
    until(lambda: len(node.log("running", unit="redis")) == 2, node.explain)

    assert node.until_runs("redis")["redis"] != before["redis"]
    assert "unknown" in node.log("ended", unit="redis")[0]["how"]


def test_stuck_redis_is_replaced(node: SmallNode) -> None:
    """A redis-server that a dead parent left and that does not answer is not adopted."""
    parent = node.start("first")
    before = node.until_runs("redis", "first")
    parent.kill()
    parent.wait(timeout=_LIMIT_S)
    os.kill(before["redis"], signal.SIGSTOP)

    node.start("first")
    until(lambda: len(node.log("running", unit="redis")) == 2, node.explain)

    assert node.until_runs("redis")["redis"] != before["redis"]
    until(lambda: (node.exec_root / "redis.sock").exists())


def test_leftover_redis_of_other_settings_is_ended(node: SmallNode) -> None:
    """A node that is given a Redis ends the private one that it had."""
    parent = node.start("first")
    node.until_runs("redis", "first")
    parent.kill()
    parent.wait(timeout=_LIMIT_S)

    node.env["WHERRY_REDIS_URL"] = "redis://127.0.0.1:1"
    node.start("first")
    until(lambda: node.journal().count("first started") == 2, node.explain)

    assert node.held() == ["first", "parent"]


def test_one_parent_a_node(node: SmallNode) -> None:
    """A second parent is refused by the name of the first, and harms nothing."""
    first = node.start("first")
    before = node.until_runs("redis", "first", "parent")

    assert node.start("first").wait(timeout=_LIMIT_S) == 1

    assert f"parent already runs here as process {first.pid}" in node.log_path.read_text()
    assert node.until_runs("redis", "first", "parent") == before


def test_private_redis_is_private(node: SmallNode) -> None:
    """Only root reaches the private redis-server and its data; who may pass sees no names."""
    node.start("first")
    node.until_runs("redis", "first")
    until(lambda: (node.exec_root / "redis.sock").exists())
    until(lambda: (node.root / "redis" / "appendonlydir").exists())

    assert _mode(node.exec_root) == 0o711
    assert _mode(node.exec_root / "redis.sock") == 0o600
    assert _mode(node.root) == 0o700
    assert _mode(node.root / "redis") == 0o700


def _descriptors(pid: int) -> dict[str, str]:
    """Return what a process has open; what it closes meanwhile is left out."""
    found = {}
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[fd.name] = str(fd.readlink())
    return found


def test_child_has_nothing_of_the_parent(node: SmallNode) -> None:
    """A service has a session, default signals, and no descriptor but its own and the log."""
    node.start("first")
    pid = node.until_runs("first")["first"]

    log, lock = str(node.log_path), str(node.exec_root / "locks" / "first.lock")
    expected = {"0": "/dev/null", "1": log, "2": log, "3": lock}
    # Its journal, by which it is known to run, is open for a moment.
    until(lambda: _descriptors(pid) == expected, node.explain)
    assert os.getsid(pid) == pid
    status = dict(
        line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    caught = int(status["SigCgt"], 16)
    assert not any(caught & (1 << (n - 1)) for n in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP))


def test_too_long_exec_root(node: SmallNode) -> None:
    """An exec root in which no socket fits is refused before anything is made."""
    node.env["WHERRY_EXEC_ROOT"] = f"{node.folder}/{'x' * 100}"

    assert node.start("first").wait(timeout=_LIMIT_S) == 1

    assert "choose a folder of at most 60 bytes" in node.log_path.read_text()
    assert [path.name for path in node.folder.iterdir()] == ["log"]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
