"""Which services a node has, and how the parent treats them."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.parent.domain.backoff import Backoff
from shared.node.config import NodeConfig

#: They are stopped from the last to the first, so that each finds those it speaks to still there.
_SERVICES = ("event", "executor", "store", "volume", "pull", "controller", "gateway")
#: By whom a list of plugins is answered: the others start when these serve.
FIRST = ("store", "gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service and the module whose main() runs it."""

    name: str
    module: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentConfig:
    """What one parent keeps running."""

    node: NodeConfig
    services: tuple[Service, ...]
    #: Whether an authorization plugin is asked about each request.
    is_guarded: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    #: Seconds between SIGTERM and SIGKILL.
    grace_s: float = 15.0

    @classmethod
    def of(cls, node: NodeConfig, *, is_guarded: bool = False) -> ParentConfig:
        """Return what a node needs; an executor of another name is somebody else's to run."""
        replaced = {"executor"} - {node.executor}
        names = (name for name in _SERVICES if name not in replaced)
        return cls(
            node=node,
            is_guarded=is_guarded,
            services=tuple(
                Service(name=name, module=f"services.{name}.__main__") for name in names
            ),
        )
