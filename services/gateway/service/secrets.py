"""Secrets of plugins: sealed here, and never seen again but by the plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway import ports
from shared import errdefs
from shared.contracts.sealed import subject_of
from shared.contracts.secret import (
    LONGEST,
    DropSecret,
    KeepSecret,
    ListSecrets,
    RotateCredentialKey,
    RotateSecretKey,
    Secrets,
    check_name,
)

_LIMIT_S: Final = 10.0
#: Each secret is opened and sealed anew.
_ROTATE_LIMIT_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSecrets:
    """All raise what the store answers; Unavailable when it does not."""

    sender: ports.Sender
    vault: ports.Vault

    async def keep(self, name: str, value: bytes, *, replace: bool) -> None:
        """Seal a secret to the executor and have it kept; raises InvalidArgument."""
        check_name(name)
        if not value or len(value) > LONGEST:
            raise errdefs.InvalidArgument(
                f"secret {name} has {len(value)} bytes: it must have 1 to {LONGEST}"
            )
        sealed = self.vault.seal_secret(value, subject_of(name))
        command = KeepSecret(name=name, sealed=sealed, replace=replace)
        await self.sender.send(command, timeout_s=_LIMIT_S)

    async def list(self) -> Secrets:
        """Return which there are."""
        return await self.sender.send(ListSecrets(), timeout_s=_LIMIT_S)

    async def drop(self, name: str) -> None:
        """Delete one that is not in use."""
        await self.sender.send(DropSecret(name=name), timeout_s=_LIMIT_S)

    async def rotate(self) -> None:
        """Have pull and executor take new keys; what is on its way is opened with the old ones."""
        await self.sender.send(RotateCredentialKey(), timeout_s=_LIMIT_S)
        await self.sender.send(RotateSecretKey(), timeout_s=_ROTATE_LIMIT_S)
