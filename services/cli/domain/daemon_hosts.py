"""Addresses as dockerd's -H takes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from shared import errdefs

_DEFAULT_SOCKET: Final = "unix:///var/run/docker.sock"
_UNIX: Final = "unix://"
_TCP: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:/\[\]]*)(?::([0-9]+))?/?")
#: Where TLS is spoken, and where it is not.
_TLS_PORT, _PLAIN_PORT = 2376, 2375


def addresses(hosts: Sequence[str], *, inherited: int, has_tls: bool) -> dict[str, str]:
    """Return the variables that have a node listen on *hosts*, or where dockerd does by default.

    The first socket in the file system is the node's own; without one, that stays in the exec
    root. Raises InvalidArgument for an address that is none.
    """
    wanted = [_full(host, has_tls=has_tls) for host in hosts] or [_DEFAULT_SOCKET]
    sockets = [host for host in wanted if host.startswith(_UNIX)]
    rest = [host for host in wanted if host not in sockets[:1]]
    named = {
        "WHERRY_SOCKET": sockets[0].removeprefix(_UNIX) if sockets else "",
        "WHERRY_HOST": ",".join(rest),
        "WHERRY_LISTEN_FDS": str(inherited) if inherited else "",
    }
    return {variable: value for variable, value in named.items() if value}


def _full(host: str, *, has_tls: bool) -> str:
    scheme, separator, rest = host.strip().rpartition("://")
    match scheme if separator else "tcp":
        case "unix":
            return f"{_UNIX}{rest}" if rest else _DEFAULT_SOCKET
        case "fd":
            return f"fd://{rest}"
        case "tcp":
            return _tcp(host, rest, _TLS_PORT if has_tls else _PLAIN_PORT)
        case _:
            raise _refused(host)


def _tcp(host: str, rest: str, default_port: int) -> str:
    found = _TCP.fullmatch(rest)
    if found is None:
        raise _refused(host)
    return f"tcp://{found[1] or '127.0.0.1'}:{found[2] or default_port}"


def _refused(host: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(
        f"invalid bind address format: {host}: must be unix://<path>, tcp://<address>:<port> or "
        "fd://"
    )
