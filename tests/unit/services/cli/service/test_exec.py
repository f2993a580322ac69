"""A process in a plugin, attached to a terminal of a person."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from services.cli.domain.exec import ExecWish, Size
from services.cli.service.exec import ExecRun
from shared import errdefs
from tests.support.cli_jobs import FakeApi, FakeConnection


class FakeTerminal:
    """A ports.Terminal: what is typed, and what is shown."""

    def __init__(self, *typed: bytes, is_terminal: bool = True) -> None:
        self._typed = [*typed]
        self._is_terminal = is_terminal
        self.shown: list[tuple[bytes, bool]] = []
        self.was_raw = False

    def is_terminal(self) -> bool:
        return self._is_terminal

    def size(self) -> Size | None:
        return Size(height=2, width=3)

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        self.was_raw = True
        yield

    def read(self) -> bytes:
        return self._typed.pop(0) if self._typed else b""

    def write(self, data: bytes, *, is_error: bool) -> None:
        self.shown.append((data, is_error))

    @contextlib.contextmanager
    def on_signals(
        self, tell: Callable[[str], None], resized: Callable[[], None] | None
    ) -> Iterator[None]:
        tell("SIGINT")
        if resized is not None:
            resized()
        yield


def _run(api: FakeApi, terminal: FakeTerminal) -> ExecRun:
    return ExecRun(api=api, terminal=terminal, pause=lambda _: None, clock=lambda: 0.0)


def test_attached() -> None:
    """Input and its end go in, output comes apart, signals are told, the exit code is its own."""
    connection = FakeConnection([b"\x02\0\0\0\0\0\0\x01", b"e"])
    api = FakeApi(connection=connection, code=7)
    terminal = FakeTerminal(b"in", is_terminal=False)
    assert _run(api, terminal).attached("p", ExecWish(args=("x",), stdin=True)) == 7
    assert terminal.shown == [(b"e", True)]
    assert connection.has_ended.wait(timeout=20)
    assert connection.sent == b"in"
    assert (api.signals, api.sizes) == (["SIGINT"], [None])
    assert connection.is_closed


def test_on_a_terminal() -> None:
    """A terminal has a size, is handed every key, and what it shows has no frames."""
    api = FakeApi(connection=FakeConnection([b"$ "]))
    terminal = FakeTerminal()
    assert _run(api, terminal).attached("p", ExecWish(args=("x",), tty=True, stdin=True)) == 0
    assert terminal.shown == [(b"$ ", False)]
    assert terminal.was_raw
    assert api.sizes == [Size(height=2, width=3)] * 2


def test_no_terminal_to_give() -> None:
    """What is piped in is no terminal."""
    run = _run(FakeApi(), FakeTerminal(is_terminal=False))
    with pytest.raises(errdefs.InvalidArgument, match="not a TTY"):
        run.attached("p", ExecWish(args=("x",), tty=True, stdin=True))


def test_detached() -> None:
    """A detached one is started and left alone."""
    api = FakeApi()
    assert _run(api, FakeTerminal()).detached("p", ExecWish(args=("x",))) == 0
    assert api.detached == ["x"]
