"""Containers' sockets, reached through the descriptor of their folder.

AF_UNIX paths end at 107 bytes, /proc/self/fd does not care; and a symlink that a container puts
in its socket folder is never followed on the host.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from dataclasses import dataclass

from services.executor.adapters.inotify import FolderEvents
from services.executor.domain.layout import Layout
from shared import errdefs

#: Pauses between connects to a socket that is bound and not yet listened on: no event tells.
_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.05

#: How long an answer to a health check may be.
_ANSWER_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSockets:
    """ports.Sockets."""

    layout: Layout
    events: FolderEvents

    def try_connect(self, container_id: str, name: str) -> int:
        """Connect once and hang up; return 0, or the error number."""
        try:
            folder = os.open(
                self.layout.bundle(container_id).sockets, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
            )
        except OSError as error:
            return error.errno or errno.ENOENT
        try:
            return _connect(folder, name)
        finally:
            os.close(folder)

    async def call(
        self, container_id: str, name: str, method: str, *, timeout_s: float
    ) -> str | None:
        """Call a method as Docker calls plugins; return None for a good answer, else what failed.

        Good is a status of 200 without an `Err` or `Error` in the answer.
        """
        # Imported when first asked for: an HTTP client is large, and most nodes go without.
        from shared.plugin_rpc.client import ClientLimits, PluginClient
        from shared.plugin_rpc.endpoint import Endpoint

        socket_path = self.layout.bundle(container_id).sockets / name
        endpoint = Endpoint(name=container_id, address=f"unix://{socket_path}", is_confined=True)
        client = PluginClient(endpoint, limits=ClientLimits(answer_bytes=_ANSWER_BYTES))
        try:
            answer = await client.call(method, {}, deadline_s=timeout_s)
        except errdefs.Error as error:
            return error.message
        finally:
            await client.close()
        said = answer.get("Err") or answer.get("Error")
        return f"{method}: {said}" if said else None

    async def accepting(self, container_id: str, name: str) -> None:
        """Return once the socket accepts a connection."""
        pause = _FIRST_PAUSE_S
        with self.events.watching(self.layout.bundle(container_id).sockets) as appeared:
            while (error := self.try_connect(container_id, name)) != 0:
                if error == errno.ENOENT:
                    await appeared.wait()
                    appeared.clear()
                else:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_S)


def _connect(folder: int, name: str) -> int:
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        return error.errno or errno.ENOENT
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return errno.ECONNREFUSED  # as the kernel answers for what is no socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(0)
            return client.connect_ex(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
