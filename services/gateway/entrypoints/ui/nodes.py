"""The nodes of the fleet on the first page, as its controller knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from services.gateway.domain.plugin_view import Tone
from services.gateway.entrypoints.ui.render import render
from services.gateway.service.fleet import Services
from shared import errdefs
from shared.contracts.node import Availability, Fleet, Node, NodeState

#: A page does not wait longer for a controller that is away.
_LIMIT_S: Final = 2.0


@dataclass(slots=True, kw_only=True)
class NodesCard:
    """What is to be seen of the fleet, and what was known of it last."""

    services: Services
    #: The one whose gateway this is.
    node: str
    _known: Fleet = field(default_factory=lambda: Fleet(active="", nodes=()))

    async def show(self) -> str:
        """Return the card; while the controller is away, with what it said last, and why."""
        problem = ""
        try:
            self._known = await self.services.fleet(limit_s=_LIMIT_S)
        except errdefs.Error as error:
            problem = error.message
        values = {"fleet": self._known, "tone": tone, "here": self.node, "problem": problem}
        return render("overview_nodes.html", values)


def tone(node: Node) -> Tone:
    """Tell how a node's state is to be taken."""
    if node.state is NodeState.DOWN:
        return Tone.BAD
    return Tone.GOOD if node.availability is Availability.ACTIVE else Tone.WARN
