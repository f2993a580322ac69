"""Metrics over real sockets."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared import errdefs
from shared.metrics import endpoint
from shared.metrics.node import NodeMetrics

TEXT = '# HELP a What.\n# TYPE a gauge\na{service="s"} 1.0\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="wm-") as path:
        yield Path(path)


async def render() -> str:
    """Return a text."""
    return TEXT


async def ask(path: Path, target: str = "/metrics", method: str = "GET") -> httpx.Response:
    """Ask a socket."""
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path))) as client:
        return await client.request(method, f"http://node{target}")


async def test_socket_answers_while_the_block_runs_and_is_gone_then(folder: Path) -> None:
    """Root alone may ask, unless another mode is said; a stale socket gives way."""
    path = folder / "s.sock"
    path.touch()
    async with endpoint.on_unix_socket(path, render):
        answer = await ask(path)
        assert (answer.status_code, answer.text) == (200, TEXT)
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert path.stat().st_mode & 0o777 == 0o600

    assert not path.exists()


@pytest.mark.parametrize(("target", "method"), [("/", "GET"), ("/metrics", "POST")])
async def test_nothing_else_is_served(folder: Path, target: str, method: str) -> None:
    """Other paths and methods are told where the metrics are."""
    async with endpoint.on_unix_socket(folder / "s.sock", render):
        answer = await ask(folder / "s.sock", target, method)

    assert (answer.status_code, answer.text) == (404, "metrics are at /metrics\n")


@pytest.mark.parametrize("sent", [b"", b"GET /metr", b"no HTTP at all\r\n\r\n", b"\x00" * 100_000])
async def test_clients_that_misbehave_are_hung_up_on(folder: Path, sent: bytes) -> None:
    """Neither half a request nor nonsense keeps the next client from its answer."""
    async with endpoint.on_unix_socket(folder / "s.sock", render):
        reader, writer = await asyncio.open_unix_connection(folder / "s.sock")
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(5):
            said = await reader.read()
        assert said == b"" or said.startswith(b"HTTP/1.1 4")
        writer.close()

        assert (await ask(folder / "s.sock")).status_code == 200


async def test_address_that_is_taken_is_named(folder: Path) -> None:
    """Who asked for the address hears which variable says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(errdefs.Conflict, match=f"127.0.0.1:{port}: .*WHERRY_METRICS_ADDRESS"):
            async with endpoint.on_tcp("127.0.0.1", port, render):
                pass


async def test_node_shows_who_answers_and_who_does_not(folder: Path) -> None:
    """A service that does not answer costs no more than its own part."""
    (folder / "dead.sock").touch()
    async with endpoint.on_unix_socket(folder / "s.sock", render):
        text = await NodeMetrics(folder=folder).render()

    assert 'wherry_service_up{service="s"} 1' in text
    assert 'wherry_service_up{service="dead"} 0' in text
    assert 'a{service="s"} 1.0' in text
