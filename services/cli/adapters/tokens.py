"""ports.Tokens: the file that the gateway reads, changed by one writer at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared import errdefs
from shared.access import TokenFile
from shared.disk import sync_file


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensOnDisk:
    """A file for root alone; whoever reads it finds the old content or the new one."""

    path: Path

    def read(self) -> TokenFile:
        """Return the tokens; raises what reading the file does, in words."""
        with self._explained():
            try:
                return TokenFile.parse(self.path.read_bytes())
            except FileNotFoundError:
                return TokenFile()

    def change(self, change: Callable[[TokenFile], TokenFile]) -> None:
        """Replace the tokens by what *change* makes of them, on disk when this returns."""
        with self._explained():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                self._write(change(self.read()).to_json())

    def _write(self, content: bytes) -> None:
        draft = self.path.with_name(f".{self.path.name}.new")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, 0o600)  # whatever the umask says
            file.write(content)
            file.flush()
            os.fsync(fd)
        draft.replace(self.path)
        sync_file(self.path.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self.path.with_name(f".{self.path.name}.lock")
        fd = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise errdefs.PermissionDenied(
                f"the tokens in {self.path} are root's alone: run this as root, on the node"
            ) from error
        except OSError as error:
            raise errdefs.Unavailable(
                f"the tokens in {self.path} can't be kept: {error.strerror}"
            ) from error
        except errdefs.InvalidArgument as error:
            raise errdefs.InvalidArgument(f"{self.path}: {error.message}") from error
