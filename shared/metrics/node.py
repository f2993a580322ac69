"""The metrics of a node: those of its services, asked for when they are wanted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import h11

from shared.metrics import exposition

#: A service that does not answer in time is shown as down.
_LIMIT_S = 2.0
_READ_BYTES = 65536
_UP = (
    "# HELP wherry_service_up Whether a service of the node answered when it was asked.\n"
    "# TYPE wherry_service_up gauge\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMetrics:
    """Asks each service of a node."""

    #: Where the services' sockets are, named after them.
    folder: Path

    @classmethod
    def of(cls, exec_root: Path) -> NodeMetrics:
        """Return the metrics of the node that lives there."""
        return cls(folder=folder(exec_root))

    async def render(self) -> str:
        """Return all services' metrics as one text; one that is away is missing, and says so."""
        paths = sorted(self.folder.glob("*.sock"))
        texts = await asyncio.gather(*map(_read, paths))
        ups = (
            f'wherry_service_up{{service="{path.stem}"}} {0 if text is None else 1}\n'
            for path, text in zip(paths, texts, strict=True)
        )
        return exposition.merged([_UP + "".join(ups), *filter(None, texts)])


def folder(exec_root: Path) -> Path:
    """Return the folder of a node's metrics: root's alone."""
    return exec_root / "metrics"


def service_socket(exec_root: Path, service: str) -> Path:
    """Return where a service shows its own metrics."""
    return folder(exec_root) / f"{service}.sock"


async def _read(path: Path) -> str | None:
    try:
        async with asyncio.timeout(_LIMIT_S):
            return await _get(path)
    except (OSError, TimeoutError, h11.RemoteProtocolError):
        return None


async def _get(path: Path) -> str | None:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        http = h11.Connection(h11.CLIENT)
        request = h11.Request(method="GET", target="/metrics", headers=[("host", "node")])
        writer.write((http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b""))
        body = bytearray()
        while not isinstance(event := http.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response) and event.status_code != 200:
                return None
            elif isinstance(event, h11.Data):
                body += event.data
        return body.decode()
    finally:
        writer.close()
