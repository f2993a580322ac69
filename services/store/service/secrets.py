"""Secrets of plugins: kept sealed, given to the executor with the start of who needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from services.store import ports
from services.store.domain import secret
from services.store.domain.secret import SecretRecord
from shared import errdefs
from shared.bus.ports import Delivery, Sender
from shared.contracts.message import Done
from shared.contracts.plugin import Plugin
from shared.contracts.sealed import SealedSecret
from shared.contracts.secret import (
    DropSecret,
    KeepSecret,
    ListSecrets,
    ResealSecrets,
    RotateExecutorKey,
    RotateSecretKey,
    Secrets,
)

_EXECUTOR_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSecrets:
    """The verbs; the store itself can open none of what it keeps."""

    records: ports.Secrets
    sender: Sender
    plugins: Callable[[], Iterable[Plugin]]
    clock: ports.Clock
    #: A rotation seals all anew: none may come or go meanwhile.
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self, command: KeepSecret, _delivery: Delivery) -> Done:
        """Keep a secret; the same one again is success, another value needs *replace*."""
        async with self._writing:
            before = (await self._by_name()).get(command.name)
            given = SealedSecret(name=command.name, sealed=command.sealed)
            if before is not None and before.secret == given:
                return Done()
            if before is not None and not command.replace:
                raise errdefs.AlreadyExists(
                    f"there is a secret {command.name} already: give it a new value with "
                    "--replace, or choose another name",
                    detail={"secret": command.name},
                )
            now_ns = self.clock()
            created_at_ns = before.created_at_ns if before else now_ns
            record = SecretRecord(secret=given, created_at_ns=created_at_ns, changed_at_ns=now_ns)
            await self.records.put([record])
        return Done()

    async def list(self, _command: ListSecrets, _delivery: Delivery) -> Secrets:
        """Show which there are, and who uses them."""
        plugins = tuple(self.plugins())
        return Secrets(secrets=tuple(one.shown(plugins) for one in await self.records.all()))

    async def drop(self, command: DropSecret, _delivery: Delivery) -> Done:
        """Delete a secret that nobody uses; raises Conflict naming who does."""
        async with self._writing:
            users = sorted(one.name for one in self.plugins() if command.name in secret.named(one))
            if users:
                raise errdefs.Conflict(
                    f"secret {command.name} is in use by {', '.join(users)}: set another there, "
                    "or remove the plugin",
                    detail={"secret": command.name, "plugins": users},
                )
            if not await self.records.drop(command.name):
                raise errdefs.NotFound(
                    f"there is no secret {command.name}; `wherry secret ls` shows those that "
                    "there are",
                    detail={"secret": command.name},
                )
        return Done()

    async def rotate(self, _command: RotateSecretKey, _delivery: Delivery) -> Done:
        """Have a new key taken and seal all to it.

        All are sealed to the present key first: whatever an earlier rotation that was cut short
        left sealed to the old one opens for the last time now.
        """
        async with self._writing:
            await self._reseal()
            await self.sender.send(RotateExecutorKey(), timeout_s=_EXECUTOR_S)
            await self._reseal()
        return Done()

    async def given_to(self, plugin: Plugin) -> tuple[SealedSecret, ...]:
        """Return the secrets that a plugin's settings name.

        Raises NotFound for one that is not there, PermissionDenied for one its author asks for.
        """
        names = secret.required(plugin)
        if not names:
            return ()
        kept = await self._by_name()
        for name in names:
            if name not in kept:
                raise secret.missing(plugin, name)
        return tuple(kept[name].secret for name in names)

    async def _by_name(self) -> dict[str, SecretRecord]:
        return {one.secret.name: one for one in await self.records.all()}

    async def _reseal(self) -> None:
        for record in await self.records.all():
            # One by one: together they could be more than a message holds.
            reply = await self.sender.send(
                ResealSecrets(secrets=(record.secret,)), timeout_s=_EXECUTOR_S
            )
            await self.records.put([replace(record, secret=one) for one in reply.secrets])
