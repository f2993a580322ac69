"""The controller's settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.controller.domain.role import Role
from shared import errdefs
from shared.node.config import NodeConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerConfig:
    """How long a controller, and a node, may be silent."""

    node: NodeConfig
    #: Seconds after which another controller takes over from one that is silent.
    lease_s: float = 10.0
    #: Seconds after which a node that is silent counts as down.
    node_timeout_s: float = 15.0
    #: Labels of the node's engine, `key=value`.
    labels: tuple[str, ...] = ()
    #: The node's, for constraints; empty: that from which Redis is reached.
    address: str = ""
    role: Role = Role.BOTH

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> ControllerConfig:
        """Read WHERRY_CONTROLLER_LEASE_S, _NODE_TIMEOUT_S, _ROLE, WHERRY_LABELS, _NODE_ADDRESS.

        Raises InvalidArgument.
        """
        return cls(
            node=node,
            lease_s=_seconds(env, "WHERRY_CONTROLLER_LEASE_S", 10.0),
            node_timeout_s=_seconds(env, "WHERRY_CONTROLLER_NODE_TIMEOUT_S", 15.0),
            labels=tuple(filter(None, map(str.strip, env.get("WHERRY_LABELS", "").split(",")))),
            address=_address(env),
            role=_role(env),
        )

    @property
    def database(self) -> Path:
        """Return the path of controller.db."""
        return self.node.root / "controller" / "controller.db"


def _address(env: Mapping[str, str]) -> str:
    text = env.get("WHERRY_NODE_ADDRESS", "")
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError as error:
        raise errdefs.InvalidArgument(
            f"WHERRY_NODE_ADDRESS={text}: must be an IP address"
        ) from error


def _role(env: Mapping[str, str]) -> Role:
    text = env.get("WHERRY_CONTROLLER_ROLE") or Role.BOTH
    try:
        return Role(text)
    except ValueError as error:
        raise errdefs.InvalidArgument(
            f"WHERRY_CONTROLLER_ROLE={text}: must be both, manager or worker"
        ) from error


def _seconds(env: Mapping[str, str], variable: str, default: float) -> float:
    text = env.get(variable)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds < 3600:
        raise errdefs.InvalidArgument(f"{variable}={text}: must be seconds, from 1, below an hour")
    return seconds
