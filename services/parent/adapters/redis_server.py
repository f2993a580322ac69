"""The private redis-server of a node that was given none."""

from __future__ import annotations

import contextlib
import os
import re
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
#: The line of the manifest about the file that was appended to last.
_LAST_FILE = re.compile(r"^file (\S+) seq \d+ type i\b.*\n*\Z", re.MULTILINE)
#: What stands before a command or a word; it, too, may lack its end.
_HEAD = re.compile(rb"([*$])(\d{0,9})(?:\r\n?)?")
_LONGEST_HEAD = 16


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
    """Move the file that a server appends to away, if Redis would not read it; keep one such.

    It ends for ever at what is broken, as a full disk may leave it. What is lost with it its owners
    send again; only records of the audit that were not yet taken are gone.
    """
    appended = folder / "appendonlydir"
    manifest = appended / "appendonly.aof.manifest"
    if not manifest.exists():
        return
    check = ("redis-check-aof", str(manifest))
    try:
        checked = subprocess.run(  # what it shows of a broken file may be any bytes
            check, capture_output=True, errors="replace", stdin=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError:
        log.warning("redis' file not looked at", missing=check[0])
        return
    if checked.returncode == 0 or _is_read_all_the_same(manifest, checked.stdout):
        return
    broken = folder / "appendonlydir.broken"
    shutil.rmtree(broken, ignore_errors=True)
    appended.rename(broken)
    log.error("redis starts empty, for its file is broken", kept=str(broken), said=checked.stdout)


def _is_read_all_the_same(manifest: Path, said: str) -> bool:
    """Tell whether only the end of the last file is missing: Redis itself reads past that."""
    # The file is looked at here, for the check's words for an end that is missing are those for a
    # wrong byte, too; and a server that tried the folder would write there.
    last = _LAST_FILE.search(manifest.read_text(errors="replace"))
    # The check ends at the first file that it finds fault with: those before are whole.
    if last is None or f"filename={last[1]}," not in said:
        return False
    return _is_cut_off(manifest.with_name(last[1]))


def _is_cut_off(path: Path) -> bool:
    """Tell whether nothing but commands is in a file, of which the last may lack its end.

    `*2` stands before a command of two words, and `$50` before a word of 50 bytes.
    """
    words = 0
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_HEAD):
            head = _HEAD.fullmatch(line)
            if head is None or head[1] != (b"$" if words else b"*"):
                return False
            number = int(head[2] or 0)
            if words:
                file.seek(number, os.SEEK_CUR)
                if not b"\r\n".startswith(file.read(2)):
                    return False
            words = words - 1 if words else number
    return True


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
