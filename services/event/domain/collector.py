"""What plugins that collect the node's metrics are given: its socket, where Docker puts it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared.contracts.capability import CapabilityKey, RuntimeOption
from shared.contracts.executor import ContainerLink, ContainerMount

METRICS: Final = CapabilityKey(capability="metricscollector")
_SOCKET: Final = "metrics.sock"
#: Where the plugin finds the folder of the socket, and where Docker's plugins look for that.
_MOUNTED: Final = "/run/docker/metrics"
_EXPECTED: Final = "/run/docker/metrics.sock"


def socket_path(folder: Path) -> Path:
    """Return the node's socket below the folder of its metrics."""
    return folder / "node" / _SOCKET


def option(owner: str, folder: Path) -> RuntimeOption:
    """Return what gives plugins the socket.

    dockerd binds the socket itself. A socket is another one after each start of who serves it,
    and a plugin that runs on would keep the old one: so its folder is bound, with a link.
    """
    mount = ContainerMount(
        type="bind",
        source=str(socket_path(folder).parent),
        destination=_MOUNTED,
        options=("rbind", "ro"),
        create_source=True,
    )
    link = ContainerLink(path=_EXPECTED, target=f"{Path(_MOUNTED).name}/{_SOCKET}")
    return RuntimeOption(owner=owner, key=METRICS, mounts=(mount,), links=(link,))
