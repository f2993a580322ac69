"""A command that goes on while a test looks at what it prints."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

_LIMIT_S = 60.0


class Command:
    """A process whose lines can be waited for; it is killed at the end of its block."""

    def __init__(self, *argv: str, cwd: Path, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def says(self) -> str:
        """Return the next line of its output."""
        return _line(self.process.stdout)

    def complains(self) -> str:
        """Return the next line of its errors."""
        return _line(self.process.stderr)

    def interrupt(self) -> int:
        """Press Ctrl-C and return its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=_LIMIT_S)


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().rstrip("\n")
