"""A registry behind a proxy: TLS goes through a tunnel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.pull.adapters.registry.settings import Hosts
from shared import errdefs
from tests.support import tls
from tests.support.registry import RegistryServer
from tests.support.registry_client import new_registry


@dataclass(slots=True)
class Proxy:
    """A CONNECT proxy that leads every host to one place."""

    to: str
    url: str = ""
    heads: list[str] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Open a tunnel for a client that logs in."""
        self.writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if "Proxy-Authorization: Basic bWU6cHIweHk=" not in head:
            writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        host, port = self.to.split(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        self.writers.append(far_writer)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    authority = tls.make_authority(tmp_path)
    with RegistryServer(tls=tls.issue(tmp_path, authority, "server")) as server:
        yield server


@pytest.fixture
async def proxy(server: RegistryServer) -> AsyncIterator[Proxy]:
    proxy = Proxy(to=server.authority)
    serving = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"127.0.0.1:{serving.sockets[0].getsockname()[1]}"
    yield proxy
    serving.close()
    for writer in proxy.writers:
        writer.transport.abort()
    await asyncio.sleep(0)
    await serving.wait_closed()


async def test_tls_goes_through_a_tunnel(proxy: Proxy, server: RegistryServer) -> None:
    """HTTPS_PROXY is asked for a tunnel with its login, and sees nothing of what is in it."""
    hosts = Hosts(insecure=frozenset({"registry.invalid"}), certificates=Path("/nonexistent"))
    env = {"HTTPS_PROXY": f"http://me:pr0xy@{proxy.url}"}
    registry = new_registry(hosts=hosts, env=env)

    await registry.ping("registry.invalid")
    await registry.aclose()

    (head,) = proxy.heads
    assert head.startswith("CONNECT registry.invalid:443 HTTP/1.1\r\n")
    assert '"GET /v2/ HTTP/1.1" 200' in server.log


async def test_a_proxy_that_refuses_is_named(proxy: Proxy) -> None:
    """An error of the proxy is told as one, without its password."""
    hosts = Hosts(certificates=Path("/nonexistent"))
    env = {"HTTPS_PROXY": f"http://me:wr0ng@{proxy.url}"}
    registry = new_registry(hosts=hosts, env=env)

    with pytest.raises(errdefs.Unavailable, match=f"proxy {proxy.url} answered 407") as caught:
        await registry.ping("registry.invalid")
    assert "wr0ng" not in caught.value.message
    await registry.aclose()
