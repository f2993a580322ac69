"""Names on the queue."""

from __future__ import annotations

from typing import Final

#: Of a queue, whichever node it is of.
TEMPLATE: Final = "node.{node}.pull"


def queue_name(node: str) -> str:
    """Return the queue that the pull service of *node* works off."""
    return TEMPLATE.format(node=node)
