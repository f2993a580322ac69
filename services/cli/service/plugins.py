"""`wherry plugin pull`, `push` and `upgrade`: a job each, with Docker's logins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.cli.domain.job import Job
from services.cli.domain.login import Login
from services.cli.domain.plugin import Privilege
from services.cli.domain.plugin_diff import PluginDiff
from services.cli.ports import Api, Logins
from shared import errdefs
from shared.oci import reference

#: Asks a person whether a plugin may have what it needs.
Consent = Callable[[str, tuple[Privilege, ...]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginJobs:
    """Begins jobs; all raise what the node answers."""

    api: Api
    logins: Logins
    consent: Consent
    warn: Callable[[str], None]

    def pull(self, remote: str, *, name: str) -> Job:
        """Begin to install a plugin, once it was granted what it needs."""
        login = self._login(remote)
        granted = self._grant(remote, login)
        body = {"remote": remote, "name": name, "privileges": granted}
        return self.api.begin("pull", body, login)

    def push(self, name: str) -> Job:
        """Begin to push a plugin to where its name says."""
        plugin = self.api.plugin(name)
        return self.api.begin("push", {"name": plugin.name}, self._login(plugin.name))

    def upgrade(self, name: str, *, remote: str, **how: object) -> Job:
        """Begin to upgrade a plugin, once the new version was granted what it needs.

        *how* is what the node is told of strategy and times.
        """
        plugin = self.api.plugin(name)
        remote = remote or plugin.reference
        login = self._login(remote)
        granted = self._grant(remote, login)
        body = {"name": plugin.name, "remote": remote, "privileges": granted, **how}
        return self.api.begin("upgrade", body, login)

    def diff(self, old: str, new: str) -> PluginDiff:
        """Compare two versions, with the login for the registry of the new one."""
        return self.api.diff(old, new, self._login(new))

    def _login(self, remote: str) -> Login:
        login = self.logins.find(reference.parse(remote).domain)
        if login.note:
            self.warn(login.note)
        return login

    def _grant(self, remote: str, login: Login) -> list[dict[str, Any]]:
        needed = self.api.privileges(remote, login)
        if needed and not self.consent(remote, needed):
            raise errdefs.PermissionDenied(
                f"{remote} was not granted what it needs; nothing was changed"
            )
        return [dataclasses.asdict(privilege) for privilege in needed]
