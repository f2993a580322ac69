"""The private redis-server of a node that was given none."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NoReturn

import structlog

from services.parent.adapters.forks import fork
from shared import errdefs
from shared.node.config import NodeConfig
from shared.node.lock import ServiceLock

log = structlog.get_logger()

#: How long a server that runs may think about a PING before it counts as stuck.
_ANSWER_S = 2.0
#: Failures in a row after which its file is looked at: reading all of it takes time.
_SUSPICIOUS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """ports.Unit: a redis-server that holds a lock as services do, and outlives its parent.

    Two servers never write one folder: each holds the lock for as long as it lives.
    """

    node: NodeConfig
    name: ClassVar[str] = "redis"

    def start(self, failures: int) -> int:
        """Start a server and return its pid; raises OSError.

        After some failures it starts without its file where that is broken: Redis may forget.
        """
        return fork(lambda: self._become_redis(failures))

    def answers(self) -> bool:
        """Tell whether the server that runs is well."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_ANSWER_S)
            client.connect(str(self._socket))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith((b"+PONG", b"-LOADING"))
        return False

    @property
    def _socket(self) -> Path:
        return Path(self.node.redis_url.removeprefix("unix://"))

    def _become_redis(self, failures: int) -> NoReturn:
        os.umask(0o077)
        folder = self.node.root / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self.node.lock_path(self.name), folder / "redis.lock"):
            lock = ServiceLock(path)
            lock.acquire()
            lock.outlast_exec()
        if failures >= _SUSPICIOUS:
            set_aside_if_broken(folder)
        # Python ignores it, and what is ignored stays so over an exec.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        try:
            os.execvp("redis-server", redis_argv(self._socket, folder))  # noqa: S606 - no shell
        except FileNotFoundError as error:
            raise errdefs.Unavailable(
                "redis-server was not found on PATH: install it (Debian: redis-server), or name "
                "another one in WHERRY_REDIS_URL"
            ) from error


def set_aside_if_broken(folder: Path) -> None:
    """Move the file that a server appends to away, if it can't be read whole; keep one such.

    Redis itself reads past an end that is cut off, but ends for ever at what is broken before it,
    as a full disk may leave it. What is lost with it its owners send again.
    """
    appended = folder / "appendonlydir"
    if not appended.exists():
        return
    check = ("redis-check-aof", str(appended / "appendonly.aof.manifest"))
    try:
        checked = subprocess.run(  # what it shows of a broken file may be any bytes
            check, capture_output=True, errors="replace", stdin=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError:
        log.warning("redis' file not looked at", missing=check[0])
        return
    if checked.returncode == 0:
        return
    broken = folder / "appendonlydir.broken"
    shutil.rmtree(broken, ignore_errors=True)
    appended.rename(broken)
    log.error("redis starts empty, for its file is broken", kept=str(broken), said=checked.stdout)


def redis_argv(socket_path: Path, folder: Path) -> list[str]:
    """Return the command line of a server that nobody but this host's root can reach."""
    return [
        "redis-server",
        *("--port", "0"),
        *("--unixsocket", str(socket_path)),
        *("--unixsocketperm", "600"),
        *("--dir", str(folder)),
        # At most the last second of messages on their way is lost with the host; owners send
        # those again. No snapshots besides: the file that is appended to has it all.
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        *("--save", ""),
        # A message that was thrown out to make room would be lost silently; an error is heard.
        *("--maxmemory-policy", "noeviction"),
    ]
