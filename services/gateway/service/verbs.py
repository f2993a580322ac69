"""The verbs: each is a command to its owner, and over when clients can see what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import structlog

from services.gateway import ports
from services.gateway.service.visibility import Visibility
from services.gateway.service.volumes import Volumes
from shared import errdefs
from shared.contracts.executor import Resources
from shared.contracts.message import Command
from shared.contracts.plugin import Plugin
from shared.contracts.recovery import GetRecovery, RecoveryReport
from shared.contracts.store import (
    Changed,
    Collected,
    CollectGarbage,
    CreatePlugin,
    DisablePlugin,
    EnablePlugin,
    GrantPlugin,
    LimitPlugin,
    RemovePlugin,
    SetPlugin,
    ShutDownNode,
    SupervisePlugin,
)
from shared.contracts.supervision import Part, Supervision
from shared.idempotency.key import message_id

log = structlog.get_logger()

#: Unpacking and compressing a context of many gigabytes.
CREATE_LIMIT_S: Final = 1800.0
_LOOK_LIMIT_S: Final = 10.0
_SET_LIMIT_S: Final = 30.0
#: Deleting a large root file system.
_REMOVE_LIMIT_S: Final = 120.0
#: What goes around a start or a stop: messages, mounts, unmounts, the queue behind other verbs.
_MARGIN_S: Final = 30.0
_LONGEST_START_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbs:
    """What clients may have done.

    All raise what the owner answers; Unavailable and DeadlineExceeded when it does not.
    """

    sender: ports.Sender
    visibility: Visibility
    spool: ports.Spool
    ready_timeout_s: float
    stop_grace_s: float
    volumes: Volumes
    shutdown_timeout_s: float

    async def create(self, name: str, context: AsyncIterator[bytes]) -> None:
        """Create a plugin from a context that is kept in a file meanwhile."""
        async with self.spool.receive(context) as path:
            command = CreatePlugin(name=name, context_path=str(path))
            await self._do(command, CREATE_LIMIT_S)

    async def set(self, name: str, args: tuple[str, ...]) -> None:
        """Change a plugin's settings."""
        await self._do(SetPlugin(name=name, args=args), _SET_LIMIT_S)

    async def limit(self, name: str, resources: Resources) -> Plugin:
        """Give a stopped plugin new limits; return it as that left it."""
        return await self._changed(LimitPlugin(name=name, resources=resources))

    async def supervise(
        self, name: str, supervision: Supervision, *, reset: tuple[Part, ...] = ()
    ) -> Plugin:
        """Set parts of how a plugin is supervised; of those in *reset*, the author's count."""
        return await self._changed(SupervisePlugin(name=name, supervision=supervision, reset=reset))

    async def grant(self, name: str, privileges: tuple[dict[str, Any], ...]) -> Plugin:
        """Grant a plugin privileges, in Docker's keys, that it asks for."""
        return await self._changed(GrantPlugin(name=name, privileges=privileges))

    async def enable(self, name: str, timeout_s: int) -> None:
        """Start a plugin; *timeout_s* of 0 means the node's default."""
        if not 0 <= timeout_s <= _LONGEST_START_S:
            raise errdefs.InvalidArgument(
                f"timeout {timeout_s} is invalid: must be 0 to {_LONGEST_START_S} seconds"
            )
        limit_s = (timeout_s or self.ready_timeout_s) + self.stop_grace_s + _MARGIN_S
        await self._do(EnablePlugin(name=name, timeout_s=timeout_s), limit_s)

    async def disable(self, name: str, *, force: bool) -> None:
        """Stop a plugin."""
        await self._do(DisablePlugin(name=name, force=force), self.stop_grace_s + _MARGIN_S)

    async def remove(self, name: str, *, force: bool) -> None:
        """Remove a plugin."""
        limit_s = self.stop_grace_s + _REMOVE_LIMIT_S
        await self._do(RemovePlugin(name=name, force=force), limit_s)

    async def shut_down(self) -> None:
        """End all mounts of volumes, then stop all plugins of the node, still wanted."""
        try:
            await self.volumes.release_node()
        except errdefs.Error as error:
            # What is left of them goes with the node's own mounts, or is named by the executor.
            log.warning("volumes stay mounted", reason=error.message)
        limit_s = self.shutdown_timeout_s + 2 * _MARGIN_S
        command = ShutDownNode()
        await self.sender.send(command, timeout_s=limit_s, message_id=message_id(command))

    async def recovery(self) -> RecoveryReport:
        """Return what the store found and did when it last started."""
        return await self.sender.send(GetRecovery(), timeout_s=_LOOK_LIMIT_S)

    async def collect_garbage(self, *, dry_run: bool) -> Collected:
        """Delete blobs that nothing needs; *dry_run* only tells which."""
        command = CollectGarbage(dry_run=dry_run)
        return await self.sender.send(
            command, timeout_s=_REMOVE_LIMIT_S, message_id=message_id(command)
        )

    async def _changed(self, command: Command[Changed]) -> Plugin:
        """Have a plugin changed; return it as the reply shows it, not as others left it since."""
        (change,) = (await self._do(command, _SET_LIMIT_S)).changes
        assert change.plugin is not None
        return change.plugin

    async def _do(self, command: Command[Changed], limit_s: float) -> Changed:
        changed = await self.sender.send(command, timeout_s=limit_s, message_id=message_id(command))
        await self.visibility.settle(changed)
        return changed
