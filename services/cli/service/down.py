"""`wherry down`: nothing of the node runs, and nothing is left; or, live, plugins go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.cli.ports import Gateway, Host, Parent, Process
from services.cli.service.up import Up
from shared import errdefs

#: A gateway that was started a moment ago gets so many looks, a second apart.
_LOOKS = 10
#: Every process of the node may take its 15 s, and as many again when it is killed.
_STOP_LIMIT_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """Stops plugins through the node itself, then the node."""

    gateway: Gateway
    parent: Parent
    host: Host
    up: Up
    say: Callable[[str], None]

    def run(self, *, live: bool) -> bool:
        """Return whether anything ran or was left; *live* lets plugins go on.

        Raises Conflict when plugins cannot be stopped; the node is left running then.
        """
        self.host.check_root()
        parent = self.parent.find()
        if parent is None and self._is_nothing_left(live=live):
            self._clean(live=live)
            return False
        if parent is None:
            self.say("there is no parent, but something it left: bringing the node up to end it")
            self.up.run()
            parent = self.parent.find()
        if parent is not None:
            self._end(parent, live=live)
        self._clean(live=live)
        return True

    def _is_nothing_left(self, *, live: bool) -> bool:
        return not self.host.running() and (live or not self.host.has_traces())

    def _end(self, parent: Process, *, live: bool) -> None:
        if not live:
            self._shut_down(parent)
        parent.terminate()
        if not parent.ends_within(_STOP_LIMIT_S):
            raise errdefs.DeadlineExceeded(
                f"the parent, process {parent.pid}, does not end; look at {self.up.log}"
            )

    def _shut_down(self, parent: Process) -> None:
        for _ in range(_LOOKS):
            if self.gateway.health() is not None or parent.ends_within(1.0):
                break
        try:
            self.gateway.shut_down()
        except errdefs.Error as error:
            raise errdefs.Conflict(
                f"plugins could not be stopped: {error.message}\n"
                "The node is left running. `wherry status` and the log say more:\n"
                f"  {self.up.log}\n"
                "Then say `wherry down` again; `wherry down --live` stops the services and lets "
                "plugins run."
            ) from error

    def _clean(self, *, live: bool) -> None:
        if live:
            return
        for left in self.host.clean():
            self.say(f"left alone, for it is not ours or not empty: {left}")
