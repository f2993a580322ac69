"""`wherry ui`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from services.cli.domain.health import NodeHealth
from services.cli.domain.ticket import Ticket
from services.cli.service.console import ConsoleVerb
from shared import errdefs


@dataclass
class _World:
    """The gateway, the server and the browser."""

    is_up: bool = True
    opened: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    served: list[int] = field(default_factory=list)

    def health(self) -> NodeHealth | None:
        return NodeHealth(healthy=False, services=()) if self.is_up else None

    def count_plugins(self) -> Mapping[str, int] | None:
        return None

    def shut_down(self) -> None:
        raise AssertionError("looking stops nothing")

    def serve(self, port: int, ticket: Ticket, ready: Callable[[str], None]) -> None:
        self.served.append(port)
        ready(f"http://127.0.0.1:7777/ui/?key={ticket.key}")

    def open(self, address: str) -> None:
        self.opened.append(address)

    def run(self, *, port: int = 0, opens: bool = True) -> None:
        verb = ConsoleVerb(node="n", gateway=self, server=self, browser=self, say=self.said.append)
        verb.run(port=port, opens=opens)


def test_opened() -> None:
    """The address is shown and opened, whether the node is well or not."""
    world = _World()
    world.run(port=7777)
    (address,) = world.opened
    assert address in world.said[0]
    assert "ssh -N -L 7777:127.0.0.1:7777" in world.said[0]
    assert world.served == [7777]


def test_only_shown() -> None:
    """Who wishes no browser is only shown the address."""
    world = _World()
    world.run(opens=False)
    assert world.opened == []
    assert "http://127.0.0.1:7777/ui/?key=" in world.said[0]


def test_down() -> None:
    """Without a node nothing is served, and the error says what to do."""
    world = _World(is_up=False)
    with pytest.raises(errdefs.Unavailable, match="wherry up"):
        world.run()
    assert world.served == []
