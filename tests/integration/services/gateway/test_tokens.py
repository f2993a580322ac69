"""Tokens over TLS, from the file that the command writes to a client that shows one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.cli.adapters.tokens import TokensOnDisk as WrittenTokens
from services.gateway.adapters.listening import listening
from services.gateway.adapters.server import serve_all
from services.gateway.adapters.tokens import TokensOnDisk
from services.gateway.domain.listening import Listening, TcpAddress, Tls
from services.gateway.service.access import Access
from shared import errdefs
from shared.access import Role, Token, digest, new_secret
from tests.support import tls
from tests.support.gateway_app import serving
from tests.support.registry import free_port


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give the test a folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="wherry-tk-") as name:
        yield Path(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    folder: Path
    tokens: WrittenTokens
    port: int
    authority: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def client(self, shown: str = "", pair: tls.Pair | None = None) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(self.authority))
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        return httpx.AsyncClient(
            verify=context, base_url=self.url, headers=headers, trust_env=False, timeout=60
        )

    def give(self, name: str, role: Role) -> str:
        """Make a token and return what is shown of it."""
        secret = new_secret()
        token = Token(name=name, role=role, sha256=digest(secret))
        self.tokens.change(lambda file: file.with_new(token))
        return secret


@contextlib.asynccontextmanager
async def _served(folder: Path, *, asks_for_certificates: bool = False) -> AsyncIterator[_World]:
    authority = tls.make_authority(folder)
    pair = tls.issue(folder, authority, "server")
    tokens = WrittenTokens(path=folder / "tokens.json")
    tokens.change(lambda file: file)
    port = free_port()
    wish = Listening(
        tcp=(TcpAddress(host="127.0.0.1", port=port),),
        tls=Tls(
            certificate=pair.certificate,
            key=pair.key,
            authority=authority.certificate if asks_for_certificates else None,
        ),
    )
    access = Access(
        tokens=TokensOnDisk(folder / "tokens.json", is_named=True), clock=time.monotonic
    )
    stop = asyncio.Event()
    with listening(folder / "d.sock", wish) as sockets:
        async with serving(folder, access) as world:
            task = asyncio.create_task(serve_all(world.app, sockets, stop=stop, grace_s=2))
            yield _World(folder=folder, tokens=tokens, port=port, authority=authority.certificate)
            stop.set()
            await task


async def test_a_token_lets_in_as_far_as_its_role(folder: Path) -> None:
    """Over TLS, a token that was made a moment ago reads, and does no more than its role."""
    async with _served(folder) as world:
        secret = world.give("ci", Role.READ)
        async with world.client() as nobody, world.client(secret) as ci:
            assert (await nobody.get("/plugins")).status_code == 401
            assert (await ci.get("/plugins")).status_code == 200
            assert (await ci.get("/wherry/v1/plugins")).status_code == 200
            assert (await ci.post("/plugins/a/enable?timeout=1")).status_code == 403


async def test_a_token_that_was_removed_lets_nobody_in(folder: Path) -> None:
    """Its connection may be open: the next request is refused."""
    async with _served(folder) as world:
        secret = world.give("ci", Role.ADMIN)
        async with world.client(secret) as ci:
            assert (await ci.get("/plugins")).status_code == 200
            world.tokens.change(lambda file: file.without("ci"))
            assert (await ci.get("/plugins")).status_code == 401


async def test_a_client_can_not_say_that_it_is_another(folder: Path) -> None:
    """What proxies say of where a request is from counts for nothing: guessing stays slow."""
    async with _served(folder) as world, world.client("guess") as guesser:
        for number in range(10):
            headers = {"X-Forwarded-For": f"192.0.2.{number}"}
            assert (await guesser.get("/info", headers=headers)).status_code == 401
        headers = {"X-Forwarded-For": "192.0.2.99"}
        assert (await guesser.get("/info", headers=headers)).status_code == 429


async def test_the_docker_command_shows_a_token(folder: Path) -> None:
    """HttpHeaders of the client's own file are enough for the docker CLI."""
    async with _served(folder) as world:
        secret = world.give("ci", Role.READ)
        config = folder / "docker"
        config.mkdir()
        headers = {"HttpHeaders": {"Authorization": f"Bearer {secret}"}}
        (config / "config.json").write_text(json.dumps(headers))
        process = await asyncio.create_subprocess_exec(
            *("docker", "--config", str(config), "-H", f"tcp://127.0.0.1:{world.port}"),
            *("--tlsverify", "--tlscacert", str(world.authority), "plugin", "ls", "-q"),
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), timeout=60)
    assert process.returncode == 0, err
    assert out.strip()


async def test_a_client_without_a_certificate_is_refused_where_they_are_asked_for(
    folder: Path,
) -> None:
    """With an authority TLS itself lets in only who shows a certificate of it, as --tlsverify."""
    async with _served(folder, asks_for_certificates=True) as world:
        authority = tls.Pair(certificate=folder / "ca.pem", key=folder / "ca.key")
        alice = tls.issue(folder, authority, "alice")
        stranger = tls.issue(folder, tls.make_authority(folder / "other"), "stranger")
        async with world.client(pair=alice) as known:
            assert (await known.get("/plugins")).status_code == 200
        for pair in (None, stranger):
            async with world.client(pair=pair) as unknown:
                with pytest.raises(httpx.TransportError):
                    await unknown.get("/plugins")


async def test_without_tls_nothing_is_served_to_who_speaks_plainly(folder: Path) -> None:
    """A token can't be sent in the clear by mistake: there is no answer to plain HTTP."""
    async with _served(folder) as world:
        with pytest.raises(httpx.TransportError):
            async with httpx.AsyncClient(trust_env=False) as plain:
                await plain.get(f"http://127.0.0.1:{world.port}/plugins")


def test_the_file_is_for_root_and_holds_no_secret(folder: Path) -> None:
    """Its mode is 0600 whatever the umask says, and what is in it opens nothing."""
    tokens = WrittenTokens(path=folder / "x" / "tokens.json")
    secret = new_secret()
    before = os.umask(0)
    try:
        tokens.change(
            lambda file: file.with_new(Token(name="a", role=Role.READ, sha256=digest(secret)))
        )
    finally:
        os.umask(before)
    assert tokens.path.stat().st_mode & 0o777 == 0o600
    assert secret not in tokens.path.read_text()


def test_a_file_that_others_may_write_lets_nobody_in(folder: Path) -> None:
    """Else they would let themselves in; the node does not start with such a file."""
    path = folder / "tokens.json"
    secret = new_secret()
    WrittenTokens(path=path).change(
        lambda file: file.with_new(Token(name="a", role=Role.ADMIN, sha256=digest(secret)))
    )
    path.chmod(0o622)

    tokens = TokensOnDisk(path, is_named=True)

    assert tokens.find(secret) is None
    assert tokens.are_asked_for
    with pytest.raises(errdefs.InvalidArgument, match="chmod 600"):
        tokens.check()


def test_a_broken_file_lets_nobody_in_until_it_is_right(folder: Path) -> None:
    """What was in force before is not, and no restart is needed once it is mended."""
    path = folder / "tokens.json"
    secret = new_secret()
    written = WrittenTokens(path=path)
    written.change(
        lambda file: file.with_new(Token(name="a", role=Role.ADMIN, sha256=digest(secret)))
    )
    tokens = TokensOnDisk(path, is_named=False)
    assert tokens.find(secret) is not None
    good = path.read_bytes()

    path.write_bytes(b"{")
    assert tokens.find(secret) is None
    assert tokens.are_asked_for

    path.write_bytes(good)
    assert tokens.find(secret) is not None


def test_a_unix_socket_tells_whose_process_it_is() -> None:
    """The kernel's word, which nobody can choose."""
    from services.gateway.adapters.http_protocol import Peer, _peer

    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert _peer(ours) == Peer(pid=os.getpid(), uid=os.getuid())
