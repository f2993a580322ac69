"""What a controller may be to its fleet, in swarm's words."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Said by WHERRY_CONTROLLER_ROLE."""

    #: One of those that may be active, on a node with plugins.
    BOTH = "both"
    #: May be active, and has no node's other services beside it: there are no plugins.
    MANAGER = "manager"
    #: Speaks for its node and passes on what it is asked; is never active.
    WORKER = "worker"
