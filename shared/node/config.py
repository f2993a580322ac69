"""The settings that all processes of one node share."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared import errdefs
from shared.node.redis_url import named_redis

#: Becomes part of stream names and cgroup paths.
_NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")

#: Becomes part of stream names.
_SERVICE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")

#: Bytes that the kernel's sockaddr_un holds.
_LONGEST_SOCKET = 107
#: Bytes; below it lie the unix sockets of containers.
_LONGEST_EXEC_ROOT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """Where a node lives and how its processes find one another."""

    #: Name in every message, queue and cgroup; unique in the fleet.
    name: str
    #: What must survive a reboot.
    root: Path
    #: What must not: sockets, bundles, locks.
    exec_root: Path
    #: The Docker-compatible socket.
    socket: Path
    #: With the service's password, if it has one: for nobody's eyes.
    redis_url: str = field(repr=False)
    #: Whether the node runs a redis-server of its own because nobody named one.
    private_redis: bool
    #: The service that runs containers: whichever answers the executor's messages under this name.
    executor: str = "executor"

    @classmethod
    def from_env(cls, env: Mapping[str, str], service: str = "") -> NodeConfig:
        """Read WHERRY_NODE, _ROOT, _EXEC_ROOT, _SOCKET, _EXECUTOR, _REDIS_URL and _PASSWORD_FILE.

        *service* takes the place of `{service}` in the last two. Raises InvalidArgument naming
        the variable that is wrong.
        """
        exec_root = _short(_absolute(env, "WHERRY_EXEC_ROOT", "/run/wherry"))
        redis_url = named_redis(env, service)
        return cls(
            name=_node_name(env),
            root=_absolute(env, "WHERRY_ROOT", "/var/lib/wherry"),
            exec_root=exec_root,
            socket=_bindable(_absolute(env, "WHERRY_SOCKET", str(exec_root / "docker.sock"))),
            redis_url=redis_url or f"unix://{exec_root / 'redis.sock'}",
            private_redis=not redis_url,
            executor=_service_name(env),
        )

    def lock_path(self, service: str) -> Path:
        """Return the file whose lock says that *service* runs on this node."""
        return self.exec_root / "locks" / f"{service}.lock"


def _absolute(env: Mapping[str, str], variable: str, default: str) -> Path:
    path = Path(env.get(variable) or default)
    if not path.is_absolute():
        raise errdefs.InvalidArgument(f"{variable}={path}: must be an absolute path")
    return path


def _short(exec_root: Path) -> Path:
    length = len(str(exec_root).encode())
    if length > _LONGEST_EXEC_ROOT:
        raise errdefs.InvalidArgument(
            f"WHERRY_EXEC_ROOT={exec_root}: has {length} bytes, and paths of unix sockets end at "
            f"{_LONGEST_SOCKET}; choose a folder of at most {_LONGEST_EXEC_ROOT} bytes"
        )
    return exec_root


def _bindable(path: Path) -> Path:
    length = len(str(path).encode())
    if length > _LONGEST_SOCKET:
        raise errdefs.InvalidArgument(
            f"WHERRY_SOCKET={path}: has {length} bytes, and paths of unix sockets end at "
            f"{_LONGEST_SOCKET}; choose a shorter path"
        )
    return path


def _node_name(env: Mapping[str, str]) -> str:
    name = env.get("WHERRY_NODE") or socket.gethostname()
    if not _NODE_NAME.fullmatch(name):
        raise errdefs.InvalidArgument(
            f"WHERRY_NODE={name}: a node's name is a letter or digit, then up to 62 letters, "
            "digits, dots, dashes or underscores"
        )
    return name


def _service_name(env: Mapping[str, str]) -> str:
    name = env.get("WHERRY_EXECUTOR") or "executor"
    if not _SERVICE_NAME.fullmatch(name):
        raise errdefs.InvalidArgument(
            f"WHERRY_EXECUTOR={name}: a service's name is a lower-case letter, then up to 62 of "
            "them, digits or dashes"
        )
    return name
