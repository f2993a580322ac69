"""What the commands are given by the command line that holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from services.cli.ports import Api, Display, TableDisplay, Tokens, UpgradeDisplay
    from services.cli.service.archives import Archives
    from services.cli.service.console import ConsoleVerb
    from services.cli.service.dockerd import Dockerd
    from services.cli.service.exec import ExecRun
    from services.cli.service.fleet import Fleet
    from services.cli.service.granting import Consent
    from services.cli.service.plugins import PluginJobs
    from services.cli.service.upgrades import Upgrades


class Parts(Protocol):
    """Makes the parts when a command is run; all raise InvalidArgument for a wrong variable."""

    def api(self) -> Api:
        """Return what speaks to the gateway."""

    def plugin_jobs(self, consent: Consent, warn: Callable[[str], None]) -> PluginJobs:
        """Return what begins jobs."""

    def display(self) -> Display:
        """Return what shows a job on its way."""

    def interrupts_held(self) -> AbstractContextManager[None]:
        """Put Ctrl-C off until the end of the block; the second one is raised at once."""

    def dockerd(
        self, flags: Mapping[str, Any], file: str, *, is_named: bool, warn: Callable[[str], None]
    ) -> Dockerd:
        """Return a daemon of flags, by their names in *file*, and of what that says."""

    def table(self, headings: Sequence[str]) -> TableDisplay:
        """Return what shows a table that changes."""

    def upgrades(self, warn: Callable[[str], None]) -> Upgrades:
        """Return what begins and steers upgrades of many plugins."""

    def upgrade_display(self, *, is_quiet: bool) -> UpgradeDisplay:
        """Return what shows such an upgrade on its way, or nothing of it."""

    def archives(self, consent: Consent) -> Archives:
        """Return what saves and loads plugins."""

    def exec_run(self) -> ExecRun:
        """Return what runs a process in a plugin."""

    def fleet(self, consent: Consent | None = None) -> Fleet:
        """Return what asks about nodes and services; without *consent* nothing is granted."""

    def console(self) -> ConsoleVerb:
        """Return what serves the console."""

    def tokens(self) -> Tokens:
        """Return the node's tokens."""
