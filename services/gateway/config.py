"""The gateway's settings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from shared import errdefs
from shared.node.config import NodeConfig
from shared.plugin_rpc.legacy_folders import LegacyFolders

#: AF_UNIX ends at 107 bytes.
_SOCKET_PATH_LIMIT: Final = 107
_TCP = re.compile(r"tcp://(?:\[([0-9a-fA-F:]+)\]|([^:/\[\]]+)):([0-9]{1,5})/?")
_CONTEXT_LIMIT: Final = 16 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress:
    """Where something is served besides the socket; the API on loopback only."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """Where the API is served, and how much a request may bring."""

    node: NodeConfig
    tcp: tuple[TcpAddress, ...] = ()
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
    runc: str = "runc"
    conmon: str = "conmon"
    #: What the pull service was told of registries, which is shown as well.
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    #: Who is asked about every request, in order.
    authorization_plugins: tuple[str, ...] = ()
    #: How long one of them may think.
    authorization_timeout_s: float = 10.0
    legacy_plugins: LegacyFolders = field(default_factory=LegacyFolders)

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
            tcp=tuple(map(_tcp_address, _words(env, "WHERRY_HOST"))),
            metrics=_metrics_address(env),
            context_limit=_context_limit(env),
            ready_timeout_s=_seconds(env, "WHERRY_READY_TIMEOUT_S", 30.0),
            stop_grace_s=_seconds(env, "WHERRY_STOP_GRACE_S", 10.0),
            volume_create_timeout_s=_seconds(env, "WHERRY_VOLUME_CREATE_TIMEOUT_S", 120.0),
            volume_call_timeout_s=_seconds(env, "WHERRY_VOLUME_CALL_TIMEOUT_S", 60.0),
            volume_list_timeout_s=_seconds(env, "WHERRY_VOLUME_LIST_TIMEOUT_S", 5.0),
            shutdown_timeout_s=_seconds(env, "WHERRY_SHUTDOWN_TIMEOUT_S", 30.0),
            runc=env.get("WHERRY_RUNC") or "runc",
            conmon=env.get("WHERRY_CONMON") or "conmon",
            registry_mirrors=_words(env, "WHERRY_REGISTRY_MIRRORS"),
            insecure_registries=_words(env, "WHERRY_INSECURE_REGISTRIES"),
            authorization_plugins=_words(env, "WHERRY_AUTHORIZATION_PLUGINS"),
            authorization_timeout_s=_seconds(env, "WHERRY_AUTHORIZATION_TIMEOUT_S", 10.0),
            legacy_plugins=LegacyFolders.from_env(env),
        )


def _words(env: Mapping[str, str], variable: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in env.get(variable, "").split(",") if word.strip())


def _tcp_address(host: str) -> TcpAddress:
    found = _TCP.fullmatch(host)
    if found is None or not 0 < int(found[3]) < 65536:
        raise errdefs.InvalidArgument(
            f"WHERRY_HOST={host}: must be tcp://127.0.0.1:<port>, several separated by commas; "
            "WHERRY_SOCKET names the socket"
        )
    name = found[1] or found[2]
    if not _is_loopback(name):
        raise errdefs.InvalidArgument(
            f"WHERRY_HOST={host}: not a loopback address, and whoever reaches this API is root "
            "on this machine; without TLS it is served on tcp://127.0.0.1 only: reach it through "
            "ssh (docker -H ssh://…) or a proxy that ends TLS"
        )
    return TcpAddress(host="127.0.0.1" if name == "localhost" else name, port=int(found[3]))


def _metrics_address(env: Mapping[str, str]) -> TcpAddress | None:
    value = env.get("WHERRY_METRICS_ADDRESS", "")
    if not value:
        return None
    host, _, port = value.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise errdefs.InvalidArgument(
            f"WHERRY_METRICS_ADDRESS={value}: must be <host>:<port>, such as 127.0.0.1:9323"
        )
    return TcpAddress(host=host.strip("[]"), port=int(port))


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


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
