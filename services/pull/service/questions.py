"""Short questions to registries, answered while somebody waits."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from services.pull.ports import Registries
from services.pull.service.credentials import open_auth
from services.pull.service.resolving import Resolver
from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.job import Sealed
from shared.contracts.pull import GetPrivileges, LoggedIn, LogIn, Privileges
from shared.oci import privileges, reference
from shared.sealing import Opener, seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The handlers of GetPrivileges and LogIn."""

    registries: Registries
    resolver: Resolver
    opener: Opener

    async def get_privileges(self, command: GetPrivileges, _delivery: Delivery) -> Privileges:
        """Return what a plugin asks for; raises the registry's error. Changes nothing."""
        ref = reference.parse(command.remote).with_default_tag()
        auth = open_auth(self.opener, command.credentials, command.subject)
        repository = self.registries.repository(ref, auth=auth, meta_headers=command.meta_headers)
        image = await self.resolver.fetch(repository, ref, await repository.resolve())
        needed = privileges.compute(image.config)
        return Privileges(privileges=tuple(privilege.to_dict() for privilege in needed))

    async def log_in(self, command: LogIn, _delivery: Delivery) -> LoggedIn:
        """Check credentials; raises the registry's error. Changes nothing."""
        auth = open_auth(self.opener, command.credentials, command.subject)
        login = await self.registries.log_in(command.server_address, auth)
        token = login.identity_token
        sealed = _sealed(token, command.answer_key, command.subject) if token else None
        return LoggedIn(status=login.status, identity_token=sealed)


def _sealed(token: str, answer_key: str, subject: str) -> Sealed:
    try:
        key = base64.b64decode(answer_key, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errdefs.InvalidArgument("the key to answer to is not base64") from error
    return seal(key, token.encode(), subject)
