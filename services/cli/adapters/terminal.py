"""ports.Terminal: this process's standard streams."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from typing import Any, Final

from services.cli.domain.exec import Size

_READ_BYTES: Final = 32 * 1024
#: Those that end a command; they are for the process in the plugin.
_HANDED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Put Ctrl-C off until the end of the block; the second one is raised at once."""
    came: list[int] = []

    def note(number: int, _frame: object) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


class StandardTerminal:
    """Standard input, output and error."""

    def is_terminal(self) -> bool:
        """Tell whether a person types."""
        return sys.stdin.isatty()

    def size(self) -> Size | None:
        """Return its size; None where it has none."""
        for stream in (sys.stdout, sys.stdin):
            with contextlib.suppress(OSError, ValueError):
                found = os.get_terminal_size(stream.fileno())
                return Size(height=found.lines, width=found.columns)
        return None

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """Hand on every key in the block, Ctrl-C, too."""
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        tty.setraw(fd)
        try:
            yield
        finally:
            termios.tcsetattr(fd, termios.TCSADRAIN, before)

    def read(self) -> bytes:
        """Wait for input and return it; nothing at its end."""
        return os.read(sys.stdin.fileno(), _READ_BYTES)

    def write(self, data: bytes, *, is_error: bool) -> None:
        """Show output."""
        stream = sys.stderr if is_error else sys.stdout
        stream.buffer.write(data)
        stream.buffer.flush()

    @contextlib.contextmanager
    def on_signals(
        self, tell: Callable[[str], None], resized: Callable[[], None] | None
    ) -> Iterator[None]:
        """Tell of signals in the block instead of heeding them, and of another size."""
        handlers: dict[signal.Signals, Callable[[int, Any], None]] = {
            number: lambda number, _: tell(signal.Signals(number).name) for number in _HANDED_ON
        }
        if resized is not None:
            handlers[signal.SIGWINCH] = lambda *_: resized()
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
