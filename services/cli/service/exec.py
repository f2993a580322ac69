"""`wherry plugin exec`: a process in a plugin, attached to this terminal."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.cli.domain.exec import ExecWish, Frames
from services.cli.ports import Api, Connection, Terminal
from shared import errdefs

#: A process that has closed its output may take a while to end.
_PATIENCE_S = 10.0
_PAUSE_S = 0.05
#: As a shell tells of a program that it could not wait for.
_UNKNOWN = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRun:
    """Runs one process; all raise what the node answers."""

    api: Api
    terminal: Terminal
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def detached(self, name: str, wish: ExecWish) -> int:
        """Start a process and leave it alone."""
        self.api.detach_exec(self.api.create_exec(name, wish))
        return 0

    def attached(self, name: str, wish: ExecWish) -> int:
        """Start a process, hand on input, output and signals, and return its exit code."""
        if wish.tty and wish.stdin and not self.terminal.is_terminal():
            raise errdefs.InvalidArgument("the input device is not a TTY: leave out -t")
        exec_id = self.api.create_exec(name, wish)
        size = self.terminal.size() if wish.tty else None
        with contextlib.closing(self.api.attach_exec(exec_id, size)) as connection:
            self._speak(connection, exec_id, wish)
        return self._exit_code(exec_id)

    def _speak(self, connection: Connection, exec_id: str, wish: ExecWish) -> None:
        def tell(signal: str) -> None:
            with contextlib.suppress(errdefs.Conflict):  # it has ended by itself
                self.api.signal_exec(exec_id, signal)

        def resized() -> None:
            size = self.terminal.size()
            if size is not None:
                with contextlib.suppress(errdefs.Conflict):
                    self.api.resize_exec(exec_id, size)

        if wish.stdin:
            # It waits for a key when all is over: it must not hold up the end.
            threading.Thread(target=self._send_input, args=(connection,), daemon=True).start()
        raw = self.terminal.raw() if wish.tty and wish.stdin else contextlib.nullcontext()
        with raw, self.terminal.on_signals(tell, resized if wish.tty else None):
            self._show_output(connection, is_raw=wish.tty)

    def _send_input(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):  # it has ended
            while data := self.terminal.read():
                connection.send(data)
            connection.end()

    def _show_output(self, connection: Connection, *, is_raw: bool) -> None:
        frames = Frames()
        while data := connection.receive():
            pieces = [(data, False)] if is_raw else frames.feed(data)
            for piece, is_error in pieces:
                self.terminal.write(piece, is_error=is_error)

    def _exit_code(self, exec_id: str) -> int:
        deadline = self.clock() + _PATIENCE_S
        while (code := self.api.exit_code(exec_id)) is None:
            if self.clock() > deadline:
                return _UNKNOWN
            self.pause(_PAUSE_S)
        return code
