"""The executor's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from services.executor.domain.layout import Layout
from shared import errdefs
from shared.node.config import NodeConfig
from shared.node.runtimes import Runtimes

_MIB = 1024 * 1024
#: Variables of files that let in whoever has them.
_KEYS = ("WHERRY_TLS_KEY", "WHERRY_TOKENS")


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
    #: Sockets and keys of the node that lie elsewhere than in its roots.
    elsewhere: tuple[Path, ...] = ()

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> ExecutorConfig:
        """Read WHERRY_CONMON, WHERRY_LOG_MAX_BYTES, what Runtimes does, and others' paths.

        Raises InvalidArgument, also for an exec root below which socket paths would not fit.
        """
        return cls(
            node=node,
            runtimes=Runtimes.from_env(env),
            conmon=env.get("WHERRY_CONMON") or "conmon",
            log_max_bytes=_bytes(env, "WHERRY_LOG_MAX_BYTES", 10 * _MIB),
            elsewhere=_elsewhere(node, env),
        )

    @property
    def own_places(self) -> tuple[Path, ...]:
        """Return what containers may not reach, whoever grants it."""
        return (self.node.root, self.node.exec_root, self.node.socket, *self.elsewhere)

    @property
    def layout(self) -> Layout:
        """Return where things lie below the exec root."""
        return Layout(exec_root=self.node.exec_root, node=self.node.name)


def _elsewhere(node: NodeConfig, env: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the paths of sockets and keys that the node's settings name."""
    hosts = [host.strip() for host in env.get("WHERRY_HOST", "").split(",")]
    urls = [url for url in (*hosts, node.redis_url) if url.startswith("unix://")]
    named = [urlsplit(url).path for url in urls] + [env.get(name, "") for name in _KEYS]
    return tuple(Path(path) for path in named if path)


def _bytes(env: Mapping[str, str], variable: str, default: int) -> int:
    text = env.get(variable)
    if not text:
        return default
    if not text.isdecimal() or int(text) <= 0:
        raise errdefs.InvalidArgument(f"{variable}={text}: must be a number of bytes, above 0")
    return int(text)
