"""Processes put beside a plugin's own, by command and over HTTP."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts

_PROGRAM = "/bin/program"


@pytest.fixture
def running(node: Node, contexts: Contexts) -> Node:
    """Give a node on which a plugin `p` runs."""
    node.create("p", contexts.tar(env=[{"name": "OF_PLUGIN", "value": "own"}]))
    node.enable("p")
    return node


def _exec(node: Node, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "plugin", "exec", *args],
        cwd=Path(__file__).parents[2],
        env=node.environment,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def _leftovers(node: Node) -> list[str]:
    """Return folders and cgroups of execs."""
    folders = (node.exec_root / "c").glob("*/x/*")
    cgroups = Path("/sys/fs/cgroup").glob(f"*{node.cgroup}/*/exec-*")
    return sorted(map(str, (*folders, *cgroups)))


def _programs(node: Node) -> int:
    """Return how many processes run in the plugin."""
    return len(node.get("/wherry/v1/plugins/p/top")["processes"])


def test_output_and_exit_code(running: Node) -> None:
    """Both streams come apart, and the command exits as the process does."""
    done = _exec(running, "p", _PROGRAM, "print=2", "stderr=careful", "exit=7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"line 1\nline 2\n", b"careful\n")
    assert _leftovers(running) == []


def test_input_and_its_end(running: Node) -> None:
    """Megabytes go in and come out, and the end of the input reaches the process."""
    sent = os.urandom(1 << 20) * 8
    done = _exec(running, "-i", "p", _PROGRAM, "cat", "exit=0", stdin=sent)
    assert done.returncode == 0
    assert done.stdout == sent


def test_without_input(running: Node) -> None:
    """Without -i the process finds the end of its input at once."""
    assert _exec(running, "p", _PROGRAM, "cat", "print=1", "exit=0").stdout == b"line 1\n"


def test_what_it_is_run_as(running: Node) -> None:
    """User, folder and environment are as asked for, else as the plugin's own."""
    does = (_PROGRAM, "who", "env=OF_PLUGIN", "env=GIVEN", "exit=0")
    as_own = _exec(running, "p", *does)
    assert as_own.stdout == b"0 0 /\nown\n\n"
    asked = _exec(running, "-u", "12:34", "-w", "/bin", "-e", "GIVEN=x=y", "p", *does)
    assert asked.stdout == b"12 34 /bin\nown\nx=y\n"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("p", "/nothing"), 127, b"no such file"),
        (("p", "/bin"), 126, b"permission denied"),
        (("-u", "nobody-here", "p", _PROGRAM), 1, b"unable to find user nobody-here"),
        (("nosuch", _PROGRAM), 1, b"not found"),
    ],
)
def test_what_cannot_be_run(running: Node, args: tuple[str, ...], code: int, said: bytes) -> None:
    """What can't be run is told with a shell's exit codes, and leaves nothing behind."""
    done = _exec(running, *args)
    assert done.returncode == code
    assert said in done.stderr
    assert _leftovers(running) == []


def test_a_stopped_plugin(node: Node, contexts: Contexts) -> None:
    """In a plugin that does not run nothing can be run."""
    node.create("p", contexts.tar())
    done = _exec(node, "p", _PROGRAM)
    assert done.returncode == 1
    assert b"is not running" in done.stderr


def test_ctrl_c_reaches_the_process(running: Node) -> None:
    """Ctrl-C is the process's to answer, and its exit code the command's."""
    with running.begin_wherry("plugin", "exec", "p", _PROGRAM, "int=9", "print=1") as command:
        assert command.says() == "line 1"
        assert command.interrupt() == 9


def test_who_is_killed_leaves_nothing(running: Node) -> None:
    """A command that is killed takes its process with it, and all that this started."""
    with running.begin_wherry("plugin", "exec", "-i", "p", _PROGRAM, "fork", "print=1") as command:
        assert command.says() == "line 1"
        assert _programs(running) == 3
        command.process.kill()
        eventually(lambda: _programs(running) == 1, "only the plugin's own process is left")
    eventually(lambda: _leftovers(running) == [], "nothing of the exec is left")


def test_detached(running: Node) -> None:
    """A detached process goes on by itself, and ends with the executor."""
    assert _exec(running, "-d", "p", _PROGRAM, "fork").returncode == 0
    eventually(lambda: _programs(running) == 3, "it runs")
    running.kill("executor")
    running.wait_healthy()
    eventually(lambda: _programs(running) == 1, "the next executor has ended it")
    assert _leftovers(running) == []


def test_what_it_leaves_is_the_plugins(running: Node) -> None:
    """What a process that ended by itself has left running goes on as the plugin's."""
    done = _exec(running, "p", _PROGRAM, "leave", "print=1", "exit=0")
    assert (done.returncode, done.stdout) == (0, b"line 1\n")
    assert _programs(running) == 2
    assert _leftovers(running) == []
    running.disable("p")


class Terminal:
    """The command on a terminal of ours."""

    def __init__(self, node: Node, *args: str) -> None:
        self.fd, theirs = pty.openpty()
        self.resize(24, 80)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "plugin", "exec", "-it", *args],
            cwd=Path(__file__).parents[2],
            env=node.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = b""

    def resize(self, height: int, width: int) -> None:
        """Change the size."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.fd, keys)

    def shows(self, text: bytes) -> None:
        """Wait until something is shown."""
        while text not in self.seen:
            assert select.select([self.fd], [], [], 20)[0], f"only shows {self.seen!r}"
            self.seen += os.read(self.fd, 4096)

    def close(self) -> None:
        """Close it."""
        self.process.kill()
        self.process.wait()
        os.close(self.fd)


@pytest.fixture
def terminals(running: Node) -> Iterator[Any]:
    """Make terminals, and close them."""
    with contextlib.ExitStack() as stack:

        def make(*args: str) -> Terminal:
            terminal = Terminal(running, *args)
            stack.callback(terminal.close)
            return terminal

        yield make


def test_terminal(terminals: Any) -> None:
    """With -t there is a terminal of the right size, and what is typed is echoed and read."""
    terminal = terminals("p", _PROGRAM, "tty", "cat", "print=1", "exit=5")
    terminal.shows(b"terminal 24 80")
    terminal.type(b"hello\n")
    terminal.shows(b"hello\r\nhello\r\n")
    terminal.type(b"\x04")
    terminal.shows(b"line 1")
    assert terminal.process.wait(timeout=20) == 5


def test_terminal_is_resized(terminals: Any) -> None:
    """Another size of the terminal reaches the process."""
    terminal = terminals("p", _PROGRAM, "tty", "cat", "tty", "exit=0")
    terminal.shows(b"terminal 24 80")
    terminal.resize(10, 20)
    terminal.process.send_signal(signal.SIGWINCH)
    # The size is known to the process a moment after the gateway was told.
    terminal.type(b"x\n")
    terminal.shows(b"x\r\nx\r\n")
    terminal.type(b"\x04")
    terminal.shows(b"terminal 10 20")


def test_ctrl_c_on_a_terminal(terminals: Any) -> None:
    """On a terminal, Ctrl-C is a key, and the terminal in the plugin makes a signal of it."""
    terminal = terminals("p", _PROGRAM, "int=6", "print=1", "cat")
    terminal.shows(b"line 1")
    terminal.type(b"\x03")
    assert terminal.process.wait(timeout=20) == 6


def test_over_http(running: Node) -> None:
    """The route speaks as Docker's: 101, frames, half-ended input; and an exec starts once."""
    made = running.http.post(
        "/wherry/v1/plugins/p/exec",
        json={"args": [_PROGRAM, "cat", "stderr=done", "exit=3"], "stdin": True},
    )
    assert made.status_code == 201
    exec_id = made.json()["exec_id"]
    assert made.json()["state"] == "created"

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(running.socket))
        client.sendall(
            f"POST /wherry/v1/exec/{exec_id}/start HTTP/1.1\r\nHost: x\r\n"
            "Content-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            "Content-Length: 2\r\n\r\n{}".encode()
        )
        client.sendall(b"early")  # before the answer
        with client.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 101 UPGRADED\r\n"
            head = dict(
                line.rstrip(b"\r\n").split(b": ", 1) for line in iter(answer.readline, b"\r\n")
            )
            assert head[b"Content-Type"] == b"application/vnd.docker.multiplexed-stream"
            assert head[b"Upgrade"] == b"tcp"
            assert answer.read(13) == b"\x01\0\0\0\0\0\0\x05early"
            client.shutdown(socket.SHUT_WR)
            assert answer.read() == b"\x02\0\0\0\0\0\0\x05done\n"

    shown = running.get(f"/wherry/v1/exec/{exec_id}")
    assert (shown["state"], shown["exit_code"]) == ("exited", 3)
    again = running.http.post(f"/wherry/v1/exec/{exec_id}/start", json={})
    assert (again.status_code, again.json()["message"]) == (
        409,
        f"exec command {exec_id} has already run",
    )
    assert running.http.get("/wherry/v1/exec/nothing").status_code == 404
    assert running.http.post(f"/wherry/v1/exec/{exec_id}/resize?h=1&w=1").status_code == 409
    wrong = running.http.post("/wherry/v1/plugins/p/exec", json={"args": []})
    assert (wrong.status_code, wrong.json()["message"]) == (400, "No exec command specified")
