"""Puts the verbs together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from services.cli.adapters.gateway import UnixGateway
from services.cli.adapters.host import LocalHost
from services.cli.adapters.parent import ARGV, CODE, DetachedParent
from services.cli.service.down import Down
from services.cli.service.status import Look
from services.cli.service.up import Up
from shared.node.config import NodeConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbs:
    """What `wherry` can do to one node."""

    node: NodeConfig
    log: Path
    up: Up
    down: Down
    look: Look

    def run_in_foreground(self) -> NoReturn:
        """Become the parent."""
        self.up.host.check()
        os.chdir(CODE)
        os.execv(ARGV[0], ARGV)  # noqa: S606 - no shell is the point


def build(env: Mapping[str, str], say: Callable[[str], None]) -> Verbs:
    """Construct the verbs for the node that the environment names; raises InvalidArgument."""
    node = NodeConfig.from_env(env)
    log = node.root / "log" / "wherry.log"
    gateway = UnixGateway(socket=node.socket)
    host = LocalHost(node=node, env=env)
    parent = DetachedParent(node, log)
    up = Up(gateway=gateway, parent=parent, host=host, log=str(log))
    return Verbs(
        node=node,
        log=log,
        up=up,
        down=Down(gateway=gateway, parent=parent, host=host, up=up, say=say),
        look=Look(node=node, gateway=gateway, host=host, log=str(log)),
    )
