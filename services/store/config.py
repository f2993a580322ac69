"""The store's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from shared import errdefs
from shared.contracts.executor import NoNewPrivileges, Seccomp
from shared.node.config import NodeConfig

E = TypeVar("E", bound=StrEnum)
#: `wherry down` waits little longer.
_LONGEST_SHUTDOWN_S = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Where the store keeps things, and the times it grants."""

    node: NodeConfig
    #: Seconds for a plugin to become ready when the request names none.
    ready_timeout_s: float
    #: Seconds between SIGTERM and SIGKILL when a plugin is stopped.
    stop_grace_s: float
    #: Seconds for all plugins to end when the node is shut down; then they are killed.
    shutdown_timeout_s: float
    #: Seconds that a plugin waits for what it requires before that is told as a failed start.
    requires_timeout_s: float
    #: Which system calls plugins may make.
    seccomp: Seccomp
    #: Which of them gain nothing by set-uid programs.
    no_new_privileges: NoNewPrivileges

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> StoreConfig:
        """Read WHERRY_PLUGIN_… and the variables of times; raises InvalidArgument."""
        return cls(
            node=node,
            ready_timeout_s=_seconds(env, "WHERRY_READY_TIMEOUT_S", 30.0),
            stop_grace_s=_seconds(env, "WHERRY_STOP_GRACE_S", 10.0),
            shutdown_timeout_s=_seconds(
                env, "WHERRY_SHUTDOWN_TIMEOUT_S", 30.0, most=_LONGEST_SHUTDOWN_S
            ),
            requires_timeout_s=_seconds(env, "WHERRY_REQUIRES_TIMEOUT_S", 60.0),
            seccomp=_word(env, "WHERRY_PLUGIN_SECCOMP", Seccomp.DEFAULT),
            no_new_privileges=_word(env, "WHERRY_PLUGIN_NO_NEW_PRIVILEGES", NoNewPrivileges.ROOT),
        )

    @property
    def database(self) -> Path:
        """Return the path of store.db."""
        return self.node.root / "store" / "store.db"


def _word(env: Mapping[str, str], variable: str, default: E) -> E:
    text = env.get(variable) or default
    try:
        return type(default)(text)
    except ValueError as error:
        known = " or ".join(type(default))
        raise errdefs.InvalidArgument(f"{variable}={text}: must be {known}") from error


def _seconds(
    env: Mapping[str, str], variable: str, default: float, *, most: float = 86_400.0
) -> float:
    text = env.get(variable)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= most:
        raise errdefs.InvalidArgument(
            f"{variable}={text}: must be seconds, above 0, at most {most:g}"
        )
    return seconds
