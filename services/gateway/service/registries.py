"""Short questions to registries, answered by the pull service."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.gateway import ports
from services.gateway.domain.auth_config import AuthConfig
from shared.contracts.pull import DescribePlugin, GetPrivileges, LogIn, RemotePlugin
from shared.oci import reference

#: A registry may be slow to answer, and there are several answers to wait for.
_ANSWER_LIMIT_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAnswer:
    """What a registry said to a login."""

    status: str
    identity_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """Asks, and seals what only the pull service may know."""

    sender: ports.Sender
    vault: ports.Vault

    async def privileges(
        self, remote: str, auth: AuthConfig, meta_headers: Mapping[str, tuple[str, ...]]
    ) -> tuple[dict[str, Any], ...]:
        """Return what a plugin at a registry needs, as Docker has it; raises what stood in the way.

        That is InvalidArgument for what is no reference, and the registry's own error.
        """
        ref = reference.parse_remote(remote)
        subject = uuid.uuid4().hex
        sealed = None if auth.is_anonymous else self.vault.seal(auth.plaintext(), subject)
        command = GetPrivileges(
            remote=str(ref), meta_headers=dict(meta_headers), credentials=sealed, subject=subject
        )
        return (await self.sender.send(command, timeout_s=_ANSWER_LIMIT_S)).privileges

    async def describe(
        self, remote: str, auth: AuthConfig, meta_headers: Mapping[str, tuple[str, ...]]
    ) -> RemotePlugin:
        """Return what a plugin at a registry is; raises as privileges does."""
        ref = reference.parse_remote(remote)
        subject = uuid.uuid4().hex
        sealed = None if auth.is_anonymous else self.vault.seal(auth.plaintext(), subject)
        command = DescribePlugin(
            remote=str(ref), meta_headers=dict(meta_headers), credentials=sealed, subject=subject
        )
        return await self.sender.send(command, timeout_s=_ANSWER_LIMIT_S)

    async def log_in(self, auth: AuthConfig) -> LoginAnswer:
        """Check a login at its registry; raises what the registry says."""
        subject = uuid.uuid4().hex
        command = LogIn(
            server_address=auth.serveraddress,
            credentials=self.vault.seal(auth.plaintext(), subject),
            subject=subject,
            answer_key=self.vault.answer_key,
        )
        answer = await self.sender.send(command, timeout_s=_ANSWER_LIMIT_S)
        token = b""
        if answer.identity_token is not None:
            token = self.vault.open(answer.identity_token, subject)
        return LoginAnswer(status=answer.status, identity_token=token.decode())
