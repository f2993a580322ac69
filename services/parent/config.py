"""Which services a node has, and how the parent treats them."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.parent.domain.backoff import Backoff
from shared import errdefs
from shared.node.config import NodeConfig

#: In the order of their start; they are stopped the other way round, so that each finds those
#: it speaks to still there.
_SERVICES = ("event", "executor", "store", "gateway")
#: What the kernel's sockaddr_un holds.
_LONGEST_SOCKET = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service and the module whose main() runs it."""

    name: str
    module: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentConfig:
    """What one parent keeps running."""

    node: NodeConfig
    services: tuple[Service, ...] = tuple(
        Service(name=name, module=f"services.{name}.__main__") for name in _SERVICES
    )
    backoff: Backoff = field(default_factory=Backoff)
    #: Seconds between SIGTERM and SIGKILL.
    grace_s: float = 15.0

    def check(self) -> None:
        """Refuse folders that cannot work; raises InvalidArgument naming the variable."""
        sockets = [("WHERRY_SOCKET", str(self.node.socket))]
        if self.node.private_redis:
            sockets.insert(0, ("WHERRY_EXEC_ROOT", self.node.redis_url.removeprefix("unix://")))
        for variable, path in sockets:
            length = len(path.encode())
            if length > _LONGEST_SOCKET:
                raise errdefs.InvalidArgument(
                    f"{variable}: the unix socket {path} would have a path of {length} bytes, and "
                    f"they end at {_LONGEST_SOCKET}; choose a shorter folder"
                )
