"""`wherry ui`: the console in a browser of this machine, for whoever may use the node's socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.cli.domain.ticket import Ticket
from services.cli.ports import Browser, ConsoleServer, Gateway
from shared import errdefs

_FIRST_WORDS: Final = """\
The console of node {node}:

  {address}

The address works once, in one browser. Ctrl-C ends it.
From another machine: ssh -N -L {port}:127.0.0.1:{port} <this machine>, then open it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleVerb:
    """What serves, and what opens."""

    node: str
    gateway: Gateway
    server: ConsoleServer
    browser: Browser
    say: Callable[[str], None]

    def run(self, *, port: int, opens: bool) -> None:
        """Serve until interrupted; raises Unavailable when the node is not up."""
        if self.gateway.health() is None:
            raise errdefs.Unavailable(
                "the gateway does not answer, so there is no console; `wherry up` starts the node"
            )

        def ready(address: str) -> None:
            served = address.split("/")[2].rpartition(":")[2]
            self.say(_FIRST_WORDS.format(node=self.node, address=address, port=served))
            if opens:
                self.browser.open(address)

        self.server.serve(port, Ticket(), ready)
