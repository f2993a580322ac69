"""The gateway's settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.gateway.domain import form, registry_info
from services.gateway.domain.listening import Listening, TcpAddress
from shared import errdefs
from shared.node.config import NodeConfig
from shared.node.runtimes import Runtimes
from shared.plugin_rpc.legacy_folders import LegacyFolders
from shared.telemetry import TraceSettings

#: AF_UNIX ends at 107 bytes.
_SOCKET_PATH_LIMIT: Final = 107
_CONTEXT_LIMIT: Final = 16 * 2**30
#: Far more than people and their tools send, and less than holds up others.
_RATE_LIMIT: Final = 200.0
_CHANGES_IN_HAND: Final = 256
_CHANGES_WAITING: Final = 1024
_CHANGES_PATIENCE_S: Final = 120.0
_MOST_CHANGES: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """Where the API is served, and how much a request may bring."""

    node: NodeConfig
    listening: Listening = field(default_factory=Listening)
    #: Where the node's metrics are shown, if anywhere but below /wherry/v1.
    metrics: TcpAddress | None = None
    #: Bytes of a plugin's context, as it is sent.
    context_limit: int = _CONTEXT_LIMIT
    #: What the store grants a plugin to become ready and to stop, and all of them to be stopped.
    ready_timeout_s: float = 30.0
    stop_grace_s: float = 10.0
    #: What the volume service grants drivers, and so how long to wait for it.
    volume_create_timeout_s: float = 120.0
    volume_call_timeout_s: float = 60.0
    volume_list_timeout_s: float = 5.0
    shutdown_timeout_s: float = 30.0
    #: The programs that the executor runs: their versions are shown.
    runtimes: Runtimes = field(default_factory=lambda: Runtimes.from_env({}))
    conmon: str = "conmon"
    #: What the pull service was told of registries, which is shown as well.
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    #: The keys of info about proxies, without their logins.
    proxies: Mapping[str, str] = field(default_factory=lambda: registry_info.proxies({}))
    #: Who is asked about every request, in order.
    authorization_plugins: tuple[str, ...] = ()
    #: How long one of them may think.
    authorization_timeout_s: float = 10.0
    legacy_plugins: LegacyFolders = field(default_factory=LegacyFolders)
    #: The file of tokens, and whether it must be there.
    tokens: Path | None = None
    #: Requests a second of one client over TCP, or with one token; None: as many as it sends.
    rate_limit: float | None = _RATE_LIMIT
    #: Changes that are made at a time, and that may wait for their turn besides.
    changes_in_hand: int = _CHANGES_IN_HAND
    changes_waiting: int = _CHANGES_WAITING
    #: Nobody waits longer: a node that takes so long has more than it can do.
    changes_patience_s: float = _CHANGES_PATIENCE_S
    #: What is only shown: `key=value` labels, and how dockerd's words were meant.
    labels: tuple[str, ...] = ()
    is_experimental: bool = False
    is_live_restore: bool = True
    is_debug: bool = False
    #: Where else people look at this node: the console links there.
    grafana_url: str = ""
    jaeger_url: str = ""
    #: Whether requests that only read have spans.
    are_reads_traced: bool = False

    @classmethod
    def load(cls, node: NodeConfig, env: Mapping[str, str]) -> GatewayConfig:
        """Read its own variables, and those of other services that it needs as well.

        Raises InvalidArgument naming the variable that is wrong.
        """
        if len(str(node.socket).encode()) > _SOCKET_PATH_LIMIT:
            raise errdefs.InvalidArgument(
                f"WHERRY_SOCKET={node.socket}: a socket's path has at most "
                f"{_SOCKET_PATH_LIMIT} bytes; choose a shorter one"
            )
        return cls(
            node=node,
            listening=Listening.from_env(env),
            metrics=_metrics_address(env),
            context_limit=_context_limit(env),
            ready_timeout_s=_seconds(env, "WHERRY_READY_TIMEOUT_S", 30.0),
            stop_grace_s=_seconds(env, "WHERRY_STOP_GRACE_S", 10.0),
            volume_create_timeout_s=_seconds(env, "WHERRY_VOLUME_CREATE_TIMEOUT_S", 120.0),
            volume_call_timeout_s=_seconds(env, "WHERRY_VOLUME_CALL_TIMEOUT_S", 60.0),
            volume_list_timeout_s=_seconds(env, "WHERRY_VOLUME_LIST_TIMEOUT_S", 5.0),
            shutdown_timeout_s=_seconds(env, "WHERRY_SHUTDOWN_TIMEOUT_S", 30.0),
            conmon=env.get("WHERRY_CONMON") or "conmon",
            registry_mirrors=_words(env, "WHERRY_REGISTRY_MIRRORS"),
            insecure_registries=_words(env, "WHERRY_INSECURE_REGISTRIES"),
            proxies=registry_info.proxies(env),
            authorization_plugins=_words(env, "WHERRY_AUTHORIZATION_PLUGINS"),
            authorization_timeout_s=_seconds(env, "WHERRY_AUTHORIZATION_TIMEOUT_S", 10.0),
            legacy_plugins=LegacyFolders.from_env(env),
            runtimes=Runtimes.from_env(env),
            tokens=_tokens(env),
            rate_limit=_rate_limit(env),
            changes_in_hand=_count(env, "WHERRY_CHANGES_IN_HAND", _CHANGES_IN_HAND, least=1),
            changes_waiting=_count(env, "WHERRY_CHANGES_WAITING", _CHANGES_WAITING, least=0),
            changes_patience_s=_seconds(env, "WHERRY_CHANGES_PATIENCE_S", _CHANGES_PATIENCE_S),
            labels=_words(env, "WHERRY_LABELS"),
            is_experimental=form.is_true(env.get("WHERRY_EXPERIMENTAL", "")),
            is_live_restore=form.is_true(env.get("WHERRY_LIVE_RESTORE") or "true"),
            is_debug=(env.get("WHERRY_LOG_LEVEL") == "debug"),
            grafana_url=_url(env, "WHERRY_GRAFANA_URL"),
            jaeger_url=_url(env, "WHERRY_JAEGER_URL"),
            are_reads_traced=TraceSettings.from_env(env).are_reads_recorded,
        )


def _words(env: Mapping[str, str], variable: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in env.get(variable, "").split(",") if word.strip())


def _url(env: Mapping[str, str], variable: str) -> str:
    value = env.get(variable, "")
    if value and not value.startswith(("http://", "https://")):
        raise errdefs.InvalidArgument(
            f"{variable}={value}: must be an address such as https://host:3000/"
        )
    return value


def _metrics_address(env: Mapping[str, str]) -> TcpAddress | None:
    value = env.get("WHERRY_METRICS_ADDRESS", "")
    if not value:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise errdefs.InvalidArgument(
            f"WHERRY_METRICS_ADDRESS={value}: must be [<host>]:<port>, such as "
            "127.0.0.1:9323; without a host it is every address of this machine"
        )
    return TcpAddress(host=host.strip("[]"), port=int(port))


def _tokens(env: Mapping[str, str]) -> Path | None:
    value = env.get("WHERRY_TOKENS", "")
    if value and not Path(value).is_absolute():
        raise errdefs.InvalidArgument(f"WHERRY_TOKENS={value}: must be an absolute path")
    return Path(value) if value else None


def _rate_limit(env: Mapping[str, str]) -> float | None:
    text = env.get("WHERRY_RATE_LIMIT") or str(_RATE_LIMIT)
    try:
        per_second = float(text)
    except ValueError:
        per_second = -1.0
    if not 0 <= per_second < math.inf:
        raise errdefs.InvalidArgument(
            f"WHERRY_RATE_LIMIT={text}: must be requests a second, or 0 for no limit"
        )
    return per_second or None


def _count(env: Mapping[str, str], variable: str, default: int, *, least: int) -> int:
    text = env.get(variable) or str(default)
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= _MOST_CHANGES:
        raise errdefs.InvalidArgument(
            f"{variable}={text}: must be a number from {least} to {_MOST_CHANGES}"
        )
    return int(text)


def _context_limit(env: Mapping[str, str]) -> int:
    value = env.get("WHERRY_CONTEXT_LIMIT", "")
    if not value:
        return _CONTEXT_LIMIT
    if not (value.isascii() and value.isdigit()) or int(value) == 0:
        raise errdefs.InvalidArgument(
            f"WHERRY_CONTEXT_LIMIT={value}: must be a number of bytes greater than 0"
        )
    return int(value)


def _seconds(env: Mapping[str, str], variable: str, default: float) -> float:
    text = env.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise errdefs.InvalidArgument(f"{variable}={text}: must be seconds, above 0, below a day")
    return seconds
