"""Clients that show a certificate, and what authorization plugins hear of them."""

from __future__ import annotations

import asyncio
import base64
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from services.gateway.adapters.http_protocol import HijackableProtocol
from services.gateway.adapters.left_out import LeftOutFile
from services.gateway.entrypoints.authorization import Authorized
from services.gateway.entrypoints.http import Application, Receive, Scope, Send
from services.gateway.ports import Lost
from services.gateway.service.authorization import Authorization
from services.gateway.service.replica import Replica
from shared.contracts.store import GetInventory
from shared.plugin_rpc.endpoints import Endpoints
from shared.plugin_rpc.legacy import LegacyPlugins
from shared.plugin_rpc.legacy_folders import LegacyFolders
from shared.plugin_rpc.lookup import Lookup
from tests.support import tls
from tests.support.authz import AFTER, BEFORE, AuthzPlugin
from tests.support.bus import FakeSender
from tests.support.gateway import FakeChanges, snapshot


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough to bind in; pytest's is not."""
    with tempfile.TemporaryDirectory(prefix="cc-", dir="/tmp") as name:
        yield Path(name)


@asynccontextmanager
async def _authorization(folder: Path) -> AsyncIterator[Authorization]:
    """Give the chain of a gateway that has only a legacy plugin."""
    changes = FakeChanges()
    replica = Replica(sender=FakeSender({GetInventory: snapshot(0)}), changes=changes)
    running = asyncio.create_task(replica.run())
    changes.put(Lost())
    endpoints = Endpoints()
    folders = LegacyFolders(sockets=folder, specs=())
    lookup = Lookup(
        resolve=lambda name: replica.inventory.resolve(name).plugin,
        managed=list,
        endpoints=endpoints,
        legacy=LegacyPlugins(folders, endpoints),
    )
    left_out = LeftOutFile(folder)
    yield Authorization(["old"], replica=replica, lookup=lookup, left_out=left_out, limit_s=5)
    await endpoints.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _version(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-length", b"2"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


@asynccontextmanager
async def _serving(app: Application, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve over TLS, and give the port."""
    config = uvicorn.Config(app, lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()

    def protocol() -> HijackableProtocol:
        return HijackableProtocol(config=config, server_state=ServerState(), app_state={})

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_e02_the_user_is_the_certificate_s(folder: Path) -> None:
    """Both hooks hear the common name of the client's certificate, and get the certificate."""
    authority = tls.make_authority(folder)
    served, alice = (tls.issue(folder, authority, name) for name in ("server", "alice"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.load_cert_chain(served.certificate, served.key)
    context.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(authority.certificate))
    client.load_cert_chain(alice.certificate, alice.key)
    plugin = AuthzPlugin()
    with plugin.served(folder / "old.sock"):
        async with (
            _authorization(folder) as authorization,
            _serving(Authorized(_version, authorization), context) as port,
            httpx.AsyncClient(verify=client, trust_env=False) as http,
        ):
            answer = await http.get(f"https://127.0.0.1:{port}/version")
    assert answer.status_code == 200
    for hook in (BEFORE, AFTER):
        asked = plugin.last(hook, "/version")
        assert (asked.args["User"], asked.args["UserAuthNMethod"]) == ("alice", "TLS")
        (shown,) = asked.args["RequestPeerCertificates"]
        assert _pem(shown) == alice.certificate.read_text().strip()


def _pem(shown: str) -> str:
    return base64.b64decode(shown).decode().strip()


async def test_health_over_tcp_is_asked_about(folder: Path) -> None:
    """Only on the unix socket the node's health is told without asking."""
    plugin = AuthzPlugin()
    with plugin.served(folder / "old.sock"):
        async with _authorization(folder) as authorization:
            app = Authorized(_version, authorization)
            for client, asked in ((None, []), (("127.0.0.1", 1), [BEFORE, AFTER])):
                scope: Scope = {
                    "type": "http",
                    "method": "GET",
                    "path": "/wherry/v1/health",
                    "query_string": b"",
                    "headers": [],
                    "client": client,
                }
                await app(scope, _nothing, _drop)
                assert plugin.hooks("/health") == asked


async def _nothing() -> dict[str, object]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _drop(message: object) -> None:
    """Send it nowhere."""
