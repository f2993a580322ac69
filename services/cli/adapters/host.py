"""What this host has of a node: root's rights, programs, locks, and what is left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.cli.domain.health import ServiceHealth
from shared import errdefs
from shared.node.config import NodeConfig
from shared.node.lock import ServiceLock, read_holder

#: What the executor leaves when it was not shut down: its containers, and runc's state.
_EXECUTORS = ("c", "runc")
#: Folders of the sockets that metrics are asked for on.
_METRICS = ("metrics/node", "metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHost:
    """ports.Host."""

    node: NodeConfig
    env: Mapping[str, str]
    platform: str = sys.platform

    def check_root(self) -> None:
        """Raise PermissionDenied without root."""
        if os.geteuid() != 0:
            raise errdefs.PermissionDenied(
                "only root can run plugins: they get mounts, cgroups and capabilities; say it "
                "again with sudo (and `sudo --preserve-env` if WHERRY_* variables are set)"
            )

    def check(self) -> None:
        """Raise what keeps a node from running here.

        Unimplemented where the kernel is not Linux, PermissionDenied without root, Unavailable
        when a program is missing.
        """
        if self.platform != "linux":
            raise errdefs.Unimplemented(
                "plugins are not supported on this platform: they are containers of Linux; run "
                "Wherry on a Linux machine, and point DOCKER_HOST there"
            )
        self.check_root()
        missing = {
            package: program
            for package, program in self._programs().items()
            if shutil.which(program) is None
        }
        if missing:
            raise errdefs.Unavailable(
                f"not found on PATH: {', '.join(missing.values())}; on Debian and Ubuntu: "
                f"apt-get install {' '.join(missing)}"
            )

    def running(self) -> tuple[ServiceHealth, ...]:
        """Return what is known, from the locks, of the processes that run.

        Raises PermissionDenied for a user who may not look.
        """
        try:
            held = [(path.stem, read_holder(path)) for path in self._lock_files()]
        except PermissionError as error:
            raise errdefs.PermissionDenied(
                f"nobody answers on {self.node.socket}; only root can find out more"
            ) from error
        return tuple(
            ServiceHealth(
                service=name,
                healthy=None,
                pid=holder.pid,
                version=None if name == "redis" else holder.version,
                started_at_ns=holder.started_at_ns,
            )
            for name, holder in held
            if holder is not None
        )

    def has_traces(self) -> bool:
        """Tell whether an executor was here and not shut down: containers, mounts, cgroups."""
        return any((self.node.exec_root / name).exists() for name in _EXECUTORS)

    def clean(self) -> list[str]:
        """Remove what the node left in its exec root; return what is there and stays.

        The parent's lock is held meanwhile: nothing is taken from a node that starts again.
        """
        if not self.node.exec_root.exists():
            return []
        lock = ServiceLock(self.node.lock_path("parent"))
        lock.acquire()
        try:
            for path in (
                self.node.exec_root / "redis.sock",
                self.node.exec_root / "executor.sock",
                self.node.socket,
            ):
                _remove_socket(path)
            for path in self._lock_files():
                path.unlink()
        finally:
            lock.release()
        for name in (*_EXECUTORS, *_METRICS, "locks", "."):
            with contextlib.suppress(OSError):  # not empty, or not there
                (self.node.exec_root / name).resolve().rmdir()
        return self._left()

    def _programs(self) -> dict[str, str]:
        programs = {
            "runc": self.env.get("WHERRY_RUNC") or "runc",
            "conmon": self.env.get("WHERRY_CONMON") or "conmon",
        }
        return {"redis-server": "redis-server", **programs} if self.node.private_redis else programs

    def _lock_files(self) -> list[Path]:
        folder = self.node.lock_path("").parent
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == ".lock")
        except FileNotFoundError:
            return []

    def _left(self) -> list[str]:
        if not self.node.exec_root.exists():
            return []
        return sorted(str(path) for path in self.node.exec_root.iterdir())


def _remove_socket(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
