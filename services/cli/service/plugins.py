"""`wherry plugin pull`, `push` and `upgrade`: a job each, with Docker's logins."""

from __future__ import annotations

from dataclasses import dataclass

from services.cli.domain.job import Job
from services.cli.domain.plugin_diff import PluginDiff
from services.cli.ports import Api
from services.cli.service.granting import Granting


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginJobs:
    """Begins jobs; all raise what the node answers."""

    api: Api
    granting: Granting

    def pull(self, remote: str, *, name: str) -> Job:
        """Begin to install a plugin, once it was granted what it needs."""
        login = self.granting.login(remote)
        granted = self.granting.grant(remote, login)
        body = {"remote": remote, "name": name, "privileges": granted}
        return self.api.begin("pull", body, login)

    def push(self, name: str) -> Job:
        """Begin to push a plugin to where its name says."""
        plugin = self.api.plugin(name)
        return self.api.begin("push", {"name": plugin.name}, self.granting.login(plugin.name))

    def upgrade(self, name: str, *, remote: str, **how: object) -> Job:
        """Begin to upgrade a plugin, once the new version was granted what it needs.

        *how* is what the node is told of strategy and times.
        """
        plugin = self.api.plugin(name)
        remote = remote or plugin.reference
        login = self.granting.login(remote)
        granted = self.granting.grant(remote, login)
        body = {"name": plugin.name, "remote": remote, "privileges": granted, **how}
        return self.api.begin("upgrade", body, login)

    def diff(self, old: str, new: str) -> PluginDiff:
        """Compare two versions, with the login for the registry of the new one."""
        return self.api.diff(old, new, self.granting.login(new))
