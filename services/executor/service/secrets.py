"""The key that secrets are sealed to: rotated, and what was sealed brought to the present one."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.executor.ports import SecretFolders
from shared.bus.ports import Delivery
from shared.contracts.message import Done
from shared.contracts.secret import ResealSecrets, RotateExecutorKey, SecretsResealed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """The handlers of what the store asks for."""

    folders: SecretFolders

    async def rotate(self, _command: RotateExecutorKey, _delivery: Delivery) -> Done:
        """Take a new key; a repeat takes another, and the one before it still opens."""
        self.folders.rotate()
        log.info("key of secrets rotated")
        return Done()

    async def reseal(self, command: ResealSecrets, _delivery: Delivery) -> SecretsResealed:
        """Return secrets sealed to the present key; raises InvalidArgument for what won't open."""
        return SecretsResealed(secrets=tuple(map(self.folders.reseal, command.secrets)))
