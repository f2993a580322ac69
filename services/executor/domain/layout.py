"""Where things lie below the exec root."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from shared import errdefs

#: Name of the cgroup that the supervisors share; no container may have it.
SUPERVISORS = "conmon"

_CONTAINER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The folder of one container."""

    container_id: str
    path: Path

    @property
    def spec(self) -> Path:
        """The OCI runtime spec."""
        return self.path / "config.json"

    @property
    def record(self) -> Path:
        """What the executor must know after its own restart."""
        return self.path / "container.json"

    @property
    def sockets(self) -> Path:
        """The folder that the container sees as its socket folder."""
        return self.path / "s"

    @property
    def secrets(self) -> Path:
        """The folder that the container sees as its secrets, if it has any."""
        return self.path / "secrets"

    @property
    def log(self) -> Path:
        """The newest output."""
        return self.path / "log"

    @property
    def old_log(self) -> Path:
        """The output before the last rotation."""
        return self.path / "log.1"

    @property
    def pid_file(self) -> Path:
        """Pid of the init process."""
        return self.path / "pid"

    @property
    def conmon_pid_file(self) -> Path:
        """Pid of the supervisor."""
        return self.path / "conmon.pid"

    @property
    def control(self) -> Path:
        """The FIFO that conmon takes orders from."""
        return self.path / "ctl"

    @property
    def execs(self) -> Path:
        """What runs, or ran, beside the container's own process: one folder each."""
        return self.path / "x"

    def exec_folder(self, exec_id: str) -> Path:
        """Return the folder of one exec."""
        return self.execs / exec_id

    @property
    def exit_file(self) -> Path:
        """The exit status, written by conmon just before it ends."""
        return self.path / "exit"

    @property
    def oom_file(self) -> Path:
        """Exists when the kernel killed for want of memory."""
        return self.path / "oom"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The folders and cgroups of one node's executor."""

    exec_root: Path
    node: str

    @cached_property
    def containers(self) -> Path:
        """One folder per container."""
        return self.exec_root / "c"

    @property
    def state_root(self) -> Path:
        """The folder that runc keeps its state in."""
        return self.exec_root / "runc"

    @property
    def stream_socket(self) -> Path:
        """Where streams of output and terminals are opened."""
        return self.exec_root / "executor.sock"

    @property
    def cgroup(self) -> str:
        """The cgroup above all of this node's, in every hierarchy."""
        return f"/wherry/{self.node}"

    def cgroup_of(self, container_id: str) -> str:
        """Return the container's own cgroup."""
        return f"{self.cgroup}/{container_id}"

    def bundle(self, container_id: str) -> Bundle:
        """Return the container's folder."""
        return _bundle(self.containers, container_id)


# Every second each container's log is looked at: joining paths anew is most of what that costs.
@lru_cache(maxsize=1024)
def _bundle(containers: Path, container_id: str) -> Bundle:
    return Bundle(container_id=container_id, path=containers / container_id)


def check_container_id(container_id: str) -> None:
    """Refuse an id that is no safe name of a folder and a cgroup; raises InvalidArgument."""
    if not _CONTAINER_ID.fullmatch(container_id) or container_id == SUPERVISORS:
        raise errdefs.InvalidArgument(
            f"container id {container_id!r}: must be up to 64 letters, digits, dots, dashes or "
            f"underscores, begin with a letter or digit, and not be {SUPERVISORS!r}"
        )


def check_exec_id(exec_id: str) -> None:
    """Refuse an id that is no safe name of a folder and a cgroup; raises InvalidArgument."""
    if not _CONTAINER_ID.fullmatch(exec_id):
        raise errdefs.InvalidArgument(
            f"exec id {exec_id!r}: must be up to 64 letters, digits, dots, dashes or underscores, "
            "and begin with a letter or digit"
        )


def check_log_name(name: str) -> None:
    """Refuse a log name that is no safe name of a folder; raises InvalidArgument."""
    if name and not _CONTAINER_ID.fullmatch(name):
        raise errdefs.InvalidArgument(
            f"log name {name!r}: must be up to 64 letters, digits, dots, dashes or underscores, "
            "and begin with a letter or digit"
        )


def check_socket_name(name: str) -> None:
    """Refuse a socket that does not lie directly in the socket folder; raises InvalidArgument."""
    if not name or "/" in name or name in {".", ".."} or "\0" in name:
        raise errdefs.InvalidArgument(
            f"socket {name!r}: must be a plain file name in the container's socket folder"
        )
