"""`wherry dockerd`: a node in the foreground that begins and ends as dockerd does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from services.cli.domain.daemon_config import Settings
from services.cli.ports import Foreground, Parent, PidFile, Process, Told
from services.cli.service.down import Down
from services.cli.service.up import Up
from shared import errdefs

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerd:
    """Brings a node up, waits until it is told to stop, takes it down."""

    up: Up
    down: Down
    parent: Parent
    foreground: Foreground
    pid_file: PidFile
    settings: Settings
    #: Reads the file again, beside what held before; raises InvalidArgument.
    reload: Callable[[Settings], Settings]
    #: The environment of a node with such settings; raises InvalidArgument.
    environment: Callable[[Settings], Mapping[str, str]]

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; then plugins are stopped, unless they are to be restored.

        SIGHUP takes up what changed in the file. Raises Conflict where a node runs already, and
        what keeps one from coming up. A parent that ends by itself is Unavailable.
        """
        self.pid_file.write()
        try:
            self._run()
        finally:
            self.pid_file.remove()

    def _run(self) -> None:
        if (running := self.parent.find()) is not None:
            raise errdefs.Conflict(
                f"failed to start daemon: a node runs here already, process {running.pid}; stop "
                "it with `wherry down --live`, or name another --exec-root and --data-root"
            )
        log.info("Starting up")
        try:
            self.up.run()
        except errdefs.Error as error:
            self._end_parent()
            raise errdefs.Unavailable(f"failed to start daemon: {error.message}") from error
        log.info("Daemon has completed initialization")
        self.foreground.notify("READY=1")
        settings = self.settings
        while self._told() is Told.RELOAD:
            settings = self._reload(settings)
        self._stop(is_live_restore=bool(settings.get("live-restore")))

    def _told(self) -> Told:
        parent = self.parent.find()
        told = Told.ENDED if parent is None else self.foreground.wait(parent)
        if told is Told.ENDED:
            raise errdefs.Unavailable("the node's parent ended; its log is above")
        return told

    def _reload(self, settings: Settings) -> Settings:
        """Take up what changed in the file: the services start anew, plugins run on."""
        log.info("Got signal to reload configuration")
        try:
            new = self.reload(settings)
            env = self.environment(new)
        except errdefs.Error as error:
            log.warning("Error reloading configuration", reason=error.message)
            return settings
        if new != settings:
            self._end_parent()
            self.foreground.use(env)
            self.up.run()
        log.info("Reloaded configuration")
        return new

    def _stop(self, *, is_live_restore: bool) -> None:
        self.foreground.notify("STOPPING=1")
        log.info("stopping", live_restore=is_live_restore)
        try:
            self.down.run(live=is_live_restore)
        except errdefs.Error as error:
            # Whoever stops a daemon wants it to end; what it leaves is taken up by the next one.
            log.warning("plugins are left running", reason=error.message)
            self._end_parent()

    def _end_parent(self) -> None:
        parent: Process | None = self.parent.find()
        if parent is not None:
            parent.terminate()
            parent.ends_within(_END_LIMIT_S)


#: Every process of the node may take its 15 s.
_END_LIMIT_S = 120.0
