"""The standard streams of a container's process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stdio:
    """File descriptors the container's process gets as 0, 1 and 2; None is /dev/null.

    The process inherits runc's own streams and keeps them as long as it lives. So a pipe to
    a detached container reads end-of-file only when the container ends: read it in a task of
    its own, or give a file. The descriptors stay the caller's, to be closed by the caller.
    """

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None

    def fds(self) -> tuple[int | None, ...]:
        """Return the three in order."""
        return (self.stdin, self.stdout, self.stderr)
