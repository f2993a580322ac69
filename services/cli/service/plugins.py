"""`wherry plugin pull`, `push` and `upgrade`: a job each, with Docker's logins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from services.cli.domain.job import Job
from services.cli.domain.plugin_diff import PluginDiff
from services.cli.ports import Api
from services.cli.service.granting import Granting


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginJobs:
    """Asks what is to be asked before a job, and returns what begins it, which asks nothing more.

    All raise what the node answers.
    """

    api: Api
    granting: Granting

    def pull(self, remote: str, *, name: str) -> Callable[[], Job]:
        """Have a plugin that is to be installed granted what it needs."""
        login = self.granting.login(remote)
        granted = self.granting.grant(remote, login)
        body = {"remote": remote, "name": name, "privileges": granted}
        return partial(self.api.begin, "pull", body, login)

    def push(self, name: str) -> Callable[[], Job]:
        """Find the login for where a plugin is to be pushed to, as its name says."""
        plugin = self.api.plugin(name)
        body = {"name": plugin.name}
        return partial(self.api.begin, "push", body, self.granting.login(plugin.name))

    def upgrade(self, name: str, *, remote: str, **how: object) -> Callable[[], Job]:
        """Have the new version of a plugin granted what it needs.

        *how* is what the node is told of strategy and times.
        """
        plugin = self.api.plugin(name)
        remote = remote or plugin.reference
        login = self.granting.login(remote)
        granted = self.granting.grant(remote, login)
        body = {"name": plugin.name, "remote": remote, "privileges": granted, **how}
        return partial(self.api.begin, "upgrade", body, login)

    def diff(self, old: str, new: str) -> PluginDiff:
        """Compare two versions, with the login for the registry of the new one."""
        return self.api.diff(old, new, self.granting.login(new))
