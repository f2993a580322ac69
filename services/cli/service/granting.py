"""What a plugin is granted before it comes, and the login with which it comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.cli.domain.login import Login
from services.cli.domain.plugin import Privilege
from services.cli.ports import Api, Logins
from shared import errdefs
from shared.oci import reference

#: Asks a person whether a plugin may have what it needs.
Consent = Callable[[str, tuple[Privilege, ...]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Granting:
    """Finds logins and asks for consent."""

    api: Api
    logins: Logins
    consent: Consent
    warn: Callable[[str], None]

    def login(self, remote: str) -> Login:
        """Return the login for a remote's registry, and warn of what was odd about it."""
        login = self.logins.find(reference.parse(remote).domain)
        if login.note:
            self.warn(login.note)
        return login

    def grant(self, remote: str, login: Login) -> list[dict[str, Any]]:
        """Return the privileges that a remote needs, once they were consented to.

        Raises PermissionDenied when they were not, and what the node answers.
        """
        needed = self.api.privileges(remote, login)
        if needed and not self.consent(remote, needed):
            raise errdefs.PermissionDenied(
                f"{remote} was not granted what it needs; nothing was changed"
            )
        return [dataclasses.asdict(privilege) for privilege in needed]
