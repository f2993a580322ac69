"""Upgrades of many plugins: the controller's, asked for clients of this node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import structlog

from services.gateway import ports
from services.gateway.domain import job_identity
from services.gateway.domain.auth_config import AuthConfig
from shared import errdefs
from shared.contracts import batch as contracts
from shared.contracts.batch import Batch, BatchChanges, BatchPlugin, BatchReply, BatchRequest
from shared.contracts.job import Sealed
from shared.contracts.message import Command
from shared.contracts.node import ListNodes
from shared.idempotency.key import message_id

T = TypeVar("T")

log = structlog.get_logger()

_ANSWER_LIMIT_S: Final = 15.0
_WATCH_S: Final = 10.0
#: How long a controller that is away is waited for: another takes over meanwhile.
_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrades:
    """What clients may have done with many plugins at once; all raise what is answered."""

    sender: ports.Sender
    vault: ports.Vault
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        """End all that is followed."""
        self._closing.set()

    async def create(self, request: BatchRequest, auth: AuthConfig) -> Batch:
        """Have an upgrade planned, and begun; the same key gives the same one."""
        batch_id = job_identity.new_id()
        credentials = {} if auth.is_anonymous else await self._sealed(auth, batch_id)
        command = contracts.CreateBatch(batch_id=batch_id, request=request, credentials=credentials)
        return (await _patiently(lambda: self._ask(command))).batch

    async def list(self) -> tuple[Batch, ...]:
        """Return all upgrades, newest first."""
        found = await self.sender.send(contracts.ListBatches(), timeout_s=_ANSWER_LIMIT_S)
        return found.batches

    async def get(self, batch_id: str) -> tuple[Batch, tuple[BatchPlugin, ...]]:
        """Return an upgrade with all of its plugins, by their numbers; raises NotFound."""
        plugins: dict[int, BatchPlugin] = {}
        position, has_more = "", True
        while has_more:
            changes = await self._watch(batch_id, position, 0.0)
            plugins |= {one.plugin.number: one for one in changes.plugins}
            position, has_more = changes.position, changes.has_more
        return changes.batch, tuple(plugins[number] for number in sorted(plugins))

    async def require(self, batch_id: str) -> Batch:
        """Return an upgrade; raises NotFound."""
        return (await self._watch(batch_id, "", 0.0)).batch

    async def pause(self, batch_id: str) -> Batch:
        """Begin nothing more."""
        return await self._steer(contracts.PauseBatch(batch_id=batch_id))

    async def resume(self, batch_id: str) -> Batch:
        """Go on."""
        return await self._steer(contracts.ResumeBatch(batch_id=batch_id))

    async def cancel(self, batch_id: str) -> Batch:
        """Begin nothing more, for good."""
        return await self._steer(contracts.CancelBatch(batch_id=batch_id))

    async def roll_back(self, batch_id: str) -> Batch:
        """Put back what was upgraded."""
        return await self._steer(contracts.RollBackBatch(batch_id=batch_id))

    async def follow(self, batch_id: str, position: str) -> AsyncGenerator[BatchChanges, None]:
        """Yield what changes of an upgrade, until nothing more happens of it.

        Raises Unavailable when no controller answers for a minute, or the gateway stops.
        """
        while True:
            changes = await _patiently(partial(self._watched, batch_id, position))
            if changes.plugins or changes.position != position or not position:
                yield changes
            position = changes.position
            if _is_over(changes):
                return

    async def _watched(self, batch_id: str, position: str) -> BatchChanges:
        watching = asyncio.create_task(self._watch(batch_id, position, _WATCH_S))
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait((watching, closing), return_when=asyncio.FIRST_COMPLETED)
            if not watching.done():
                raise _ClosingError(
                    f"the gateway stops, and upgrade {batch_id} goes on without it: see "
                    f"/wherry/v1/upgrades/{batch_id} once it is back"
                )
            return watching.result()
        finally:
            for task in (watching, closing):
                task.cancel()
            await asyncio.gather(watching, closing, return_exceptions=True)

    async def _watch(self, batch_id: str, position: str, wait_s: float) -> BatchChanges:
        question = contracts.WatchBatch(batch_id=batch_id, position=position, wait_s=wait_s)
        return await self.sender.send(question, timeout_s=wait_s + _ANSWER_LIMIT_S)

    async def _steer(self, command: Command[BatchReply]) -> Batch:
        return (await self._ask(command, message_id(command))).batch

    async def _ask(self, command: Command[BatchReply], own_id: str | None = None) -> BatchReply:
        return await self.sender.send(command, timeout_s=_ANSWER_LIMIT_S, message_id=own_id)

    async def _sealed(self, auth: AuthConfig, batch_id: str) -> dict[str, Sealed]:
        """Seal a login to each node, for it alone to use."""
        fleet = await self.sender.send(ListNodes(), timeout_s=_ANSWER_LIMIT_S)
        return {
            node.name: self.vault.seal_to(node.seal_key, auth.plaintext(), batch_id)
            for node in fleet.nodes
            if node.seal_key
        }


class _ClosingError(errdefs.Unavailable):
    """The gateway stops."""


def _is_over(changes: BatchChanges) -> bool:
    """Tell whether all was told of an upgrade that is over and has nothing under way."""
    return changes.batch.is_over and not changes.has_more


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while no controller answers; raises what it says at last."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE_S
    while True:
        try:
            return await ask()
        except _ClosingError:
            raise
        except (errdefs.Unavailable, errdefs.DeadlineExceeded) as error:
            if loop.time() >= until:
                raise
            log.info("controller asked again", reason=error.message)
        await asyncio.sleep(_PAUSE_S)
