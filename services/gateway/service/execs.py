"""Processes put beside plugins' own: made, started, looked at through the executor."""

from __future__ import annotations

import secrets
from typing import Final

from services.gateway import ports
from services.gateway.service.look import container_of
from services.gateway.service.replica import Replica
from shared.contracts.executor import (
    CreateExec,
    Exec,
    ExecConfig,
    GetExec,
    ResizeExec,
    SignalExec,
    StartExec,
)
from shared.idempotency.key import current

_LIMIT_S: Final = 15.0


class PluginExecs:
    """All raise what the executor answers, and Unavailable without it."""

    def __init__(self, *, sender: ports.Sender, replica: Replica, streams: ports.Streams) -> None:
        self._sender = sender
        self._replica = replica
        self._streams = streams
        self._open: set[ports.Stream] = set()

    async def create(self, name: str, config: ExecConfig) -> Exec:
        """Make an exec in a plugin's container; raises Conflict when it does not run."""
        plugin = (await self._replica.ready()).resolve(name).plugin
        command = CreateExec(exec_id=_new_id(), container_id=container_of(plugin), config=config)
        stream = await self._streams.open(command)
        try:
            return Exec.model_validate_json(await stream.read_line())
        finally:
            await stream.close()

    async def start(self, command: StartExec) -> ports.Stream:
        """Start an exec, and return the stream of its input and output; closing it ends it."""
        stream = await self._streams.open(command)
        self._open.add(stream)
        return stream

    async def end(self, stream: ports.Stream) -> None:
        """Hang up on an exec."""
        self._open.discard(stream)
        await stream.close()

    async def get(self, exec_id: str) -> Exec:
        """Return an exec."""
        return (await self._sender.send(GetExec(exec_id=exec_id), timeout_s=_LIMIT_S)).exec

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """Say how large an exec's terminal is."""
        command = ResizeExec(exec_id=exec_id, height=height, width=width)
        await self._sender.send(command, timeout_s=_LIMIT_S)

    async def signal(self, exec_id: str, signal: str) -> None:
        """Send a signal to an exec's process."""
        command = SignalExec(exec_id=exec_id, signal=signal)
        await self._sender.send(command, timeout_s=_LIMIT_S)

    async def close(self) -> None:
        """Hang up on all."""
        for stream in tuple(self._open):
            await self.end(stream)


def _new_id() -> str:
    """Return the id of a new exec; a request with the same Idempotency-Key gets the same id."""
    key = current()
    return secrets.token_hex(32) if key is None else key.digest("exec")
