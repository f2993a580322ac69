"""The sockets that the API is served on."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import stat
from pathlib import Path
from typing import Final

from shared import errdefs

_MODE: Final = 0o660
_BACKLOG: Final = 2048
#: The first descriptor behind standard input, output and error.
_FIRST_FD: Final = 3
_PROBE_LIMIT_S: Final = 1.0
_DEFAULT_GROUP: Final = "docker"


class UnixListener:
    """A socket file: for root and a group; replaced when stale, removed at the end."""

    def __init__(self, path: Path, group: str = _DEFAULT_GROUP) -> None:
        self._path = path
        self._group = group
        self._inode = 0

    def open(self) -> socket.socket:
        """Return the listening socket; raises Conflict when another process serves there.

        Raises InvalidArgument for a group that the host does not have.
        """
        group = _group_id(self._group)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._clear_way()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            # Nobody may connect before the owner is right.
            before = os.umask(0o177)
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(before)
            os.chown(self._path, 0 if os.getuid() == 0 else -1, group)
            self._path.chmod(_MODE)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise errdefs.Internal(f"cannot serve on {self._path}: {error.strerror}") from error
        self._inode = self._path.stat().st_ino
        return listener

    def remove(self) -> None:
        """Remove the socket file, unless it is somebody else's by now."""
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def _clear_way(self) -> None:
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise errdefs.Conflict(
                f"cannot serve on {self._path}: something that is not a socket is there; "
                "move it away, or set WHERRY_SOCKET"
            )
        if _answers(self._path):
            raise errdefs.Conflict(
                f"cannot serve on {self._path}: another process does; stop it, or set WHERRY_SOCKET"
            )
        self._path.unlink(missing_ok=True)


def listen_on_tcp(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; raises Conflict when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise errdefs.Conflict(
            f"cannot serve on {host}:{port}: {error.strerror}; set WHERRY_HOST"
        ) from error
    return listener


def take_over(count: int) -> list[socket.socket]:
    """Return the sockets that the node was started with, from descriptor 3 on.

    They stay open in whoever started the node, so that a gateway started anew has them again.
    Raises InvalidArgument when a descriptor is no socket that listens.
    """
    taken = []
    for fd in range(_FIRST_FD, _FIRST_FD + count):
        try:
            listener = socket.socket(fileno=os.dup(fd))
        except OSError as error:
            raise errdefs.InvalidArgument(
                f"descriptor {fd} is no socket: {error.strerror}; fd:// needs socket activation"
            ) from error
        listener.settimeout(0)
        taken.append(listener)
    return taken


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_LIMIT_S)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # its queue is full: somebody listens, slowly
    return True


def _group_id(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        if group != _DEFAULT_GROUP:
            raise errdefs.InvalidArgument(
                f"WHERRY_SOCKET_GROUP={group}: this host has no such group; make it with groupadd, "
                "or name another one, or a number"
            ) from error
        # As dockerd: where nobody made the group, the socket is for root.
        return 0 if os.getuid() == 0 else -1
