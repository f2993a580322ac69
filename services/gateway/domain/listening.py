"""Where the API is served besides the node's own socket, and who may connect there."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared import errdefs

_TCP: Final = re.compile(r"tcp://(?:\[([0-9a-fA-F:]+)\]|([^:/\[\]]*)):([0-9]{1,5})/?")
_UNIX: Final = "unix://"
#: Sockets that whoever started the node listens on already, as systemd does.
_FD: Final = re.compile(r"fd://\*?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress:
    """An address to listen on."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The server's certificate and key; with an authority, clients must show one of its own."""

    certificate: Path
    key: Path
    authority: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Addresses by kind. TLS is spoken on all of TCP, or on none."""

    tcp: tuple[TcpAddress, ...] = ()
    unix: tuple[Path, ...] = ()
    #: How many descriptors, from 3 on, are sockets that were handed to the node.
    inherited: int = 0
    tls: Tls | None = None
    #: Whom sockets in the file system belong to, beside root.
    group: str = "docker"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Listening:
        """Read WHERRY_HOST, _SOCKET_GROUP, _LISTEN_FDS, _TLS_CERT, _TLS_KEY, _TLS_CA and _TOKENS.

        Raises InvalidArgument, also for an address that anybody could reach: whoever reaches the
        API is root on this machine, so beyond loopback clients must show a certificate, or over
        TLS a token.
        """
        tls = _tls(env)
        is_guarded = tls is not None and bool(tls.authority or env.get("WHERRY_TOKENS"))
        hosts = [host.strip() for host in env.get("WHERRY_HOST", "").split(",") if host.strip()]
        local = {host for host in hosts if host.startswith(_UNIX) or _FD.fullmatch(host)}
        return cls(
            tcp=tuple(
                _tcp_address(host, is_guarded=is_guarded) for host in hosts if host not in local
            ),
            unix=tuple(_path(host) for host in hosts if host.startswith(_UNIX)),
            inherited=_inherited(env) if any(map(_FD.fullmatch, hosts)) else 0,
            tls=tls,
            group=env.get("WHERRY_SOCKET_GROUP") or "docker",
        )


def _tls(env: Mapping[str, str]) -> Tls | None:
    certificate, key = env.get("WHERRY_TLS_CERT"), env.get("WHERRY_TLS_KEY")
    authority = env.get("WHERRY_TLS_CA")
    if not certificate and not key and not authority:
        return None
    if not certificate or not key:
        raise errdefs.InvalidArgument(
            "WHERRY_TLS_CERT and WHERRY_TLS_KEY belong together, and WHERRY_TLS_CA beside them: "
            "set both, or none of the three"
        )
    return Tls(
        certificate=Path(certificate),
        key=Path(key),
        authority=Path(authority) if authority else None,
    )


def _tcp_address(host: str, *, is_guarded: bool) -> TcpAddress:
    found = _TCP.fullmatch(host)
    if found is None or not 0 < int(found[3]) < 65536:
        raise errdefs.InvalidArgument(
            f"WHERRY_HOST={host}: must be tcp://<address>:<port>, unix:///<path> or fd://, several "
            "separated by commas"
        )
    name = found[1] or found[2] or "localhost"  # as dockerd takes tcp://:2376
    if not _is_loopback(name) and not is_guarded:
        raise errdefs.InvalidArgument(
            f"WHERRY_HOST={host}: not a loopback address, and whoever reaches this API is root "
            "on this machine; beyond tcp://127.0.0.1 it is served only to clients with a "
            "certificate or a token: set WHERRY_TLS_CA, WHERRY_TLS_CERT and WHERRY_TLS_KEY "
            "(dockerd's --tlsverify), or WHERRY_TOKENS beside the last two, or reach it through "
            "ssh (docker -H ssh://…)"
        )
    return TcpAddress(host="127.0.0.1" if name == "localhost" else name, port=int(found[3]))


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _path(host: str) -> Path:
    path = Path(host.removeprefix(_UNIX))
    if not path.is_absolute():
        raise errdefs.InvalidArgument(f"WHERRY_HOST={host}: must be unix:///<absolute path>")
    return path


def _inherited(env: Mapping[str, str]) -> int:
    text = env.get("WHERRY_LISTEN_FDS", "")
    if not text.isdecimal() or int(text) == 0:
        raise errdefs.InvalidArgument(
            "WHERRY_HOST=fd://: no sockets were handed over; start the node by socket activation, "
            "or name an address"
        )
    return int(text)
