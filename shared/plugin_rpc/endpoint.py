"""Where a plugin is reached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from shared import errdefs
from shared.contracts.plugin import Plugin

#: What plugins behind a socket read as their own host name.
SOCKET_HOST: Final = "plugin.moby.localhost"
_SCHEMES: Final = frozenset({"unix", "tcp", "http", "https"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a plugin's certificate is checked, and what it is shown; file names, empty for none."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A plugin's address; another address is another endpoint."""

    name: str
    #: unix://<path>, tcp://, http:// or https://<host:port>.
    address: str
    #: For https; without it the system's authorities count.
    tls: Tls | None = None
    #: Whether the plugin itself writes the folder of its socket, so that a link there may lead
    #: anywhere.
    is_confined: bool = False

    @property
    def socket(self) -> Path | None:
        """Return the path of the unix socket; None when it is reached over TCP."""
        parts = urlsplit(self.address)
        return Path("/", parts.netloc + parts.path) if parts.scheme == "unix" else None

    @property
    def url(self) -> str:
        """Return what URLs of the plugin begin with."""
        parts = urlsplit(self.address)
        if parts.scheme == "unix":
            return f"http://{SOCKET_HOST}"
        return f"{'https' if parts.scheme == 'https' else 'http'}://{parts.netloc}"


def parse(name: str, address: str, tls: Tls | None = None) -> Endpoint:
    """Return the endpoint of an address that a person wrote; raises InvalidArgument."""
    try:
        parts = urlsplit(address)
        knows_where = _is_path(parts) if parts.scheme == "unix" else _is_host(parts)
    except ValueError:
        knows_where = False
    if not knows_where or parts.scheme not in _SCHEMES:
        raise errdefs.InvalidArgument(
            f"Unknown protocol: the address {address!r} of plugin {name} must be unix://<path>, "
            "tcp://<host:port>, http://<host:port> or https://<host:port>",
            docker_unclassed=True,
        )
    return Endpoint(name=name, address=address, tls=tls)


def _is_path(parts: SplitResult) -> bool:
    return bool(parts.path.strip("/")) and "\0" not in parts.netloc + parts.path


def _is_host(parts: SplitResult) -> bool:
    # A port that is no number, or too large a one, raises ValueError when it is read.
    return bool(parts.hostname) and parts.port != 0


def managed(plugin: Plugin) -> Endpoint:
    """Return the endpoint of a managed plugin's running process; raises Unavailable without one."""
    socket = (plugin.config.get("Interface") or {}).get("Socket") or ""
    if plugin.status.socket_dir is None or not socket:
        raise errdefs.Unavailable(
            f"plugin {plugin.name} is not running now ({plugin.status.state}): try again, or look "
            "at its state and last output",
            docker_unclassed=True,
        )
    return Endpoint(
        name=plugin.name,
        address=f"unix://{plugin.status.socket_dir}/{socket}",
        is_confined=True,
    )
