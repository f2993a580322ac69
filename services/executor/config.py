"""The executor's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.executor.domain.layout import Layout
from shared import errdefs
from shared.node.config import NodeConfig
from shared.node.runtimes import Runtimes

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorConfig:
    """Which programs run containers, and how much of their output is kept."""

    node: NodeConfig
    #: Of these, the default one runs containers.
    runtimes: Runtimes
    #: Name on PATH, or absolute path.
    conmon: str
    #: Size of a container's newest log file; with the one before it, twice that is kept.
    log_max_bytes: int
    #: Pause between two looks at the sizes of logs.
    log_check_interval_s: float = 1.0

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> ExecutorConfig:
        """Read WHERRY_CONMON, WHERRY_LOG_MAX_BYTES, and what Runtimes does.

        Raises InvalidArgument, also for an exec root below which socket paths would not fit.
        """
        return cls(
            node=node,
            runtimes=Runtimes.from_env(env),
            conmon=env.get("WHERRY_CONMON") or "conmon",
            log_max_bytes=_bytes(env, "WHERRY_LOG_MAX_BYTES", 10 * _MIB),
        )

    @property
    def layout(self) -> Layout:
        """Return where things lie below the exec root."""
        return Layout(exec_root=self.node.exec_root, node=self.node.name)


def _bytes(env: Mapping[str, str], variable: str, default: int) -> int:
    text = env.get(variable)
    if not text:
        return default
    if not text.isdecimal() or int(text) <= 0:
        raise errdefs.InvalidArgument(f"{variable}={text}: must be a number of bytes, above 0")
    return int(text)
