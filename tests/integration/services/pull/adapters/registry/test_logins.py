"""Logins on the real registry: Basic, bearer tokens, and TLS with a CA of our own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.credentials import Credentials
from services.pull.adapters.registry.settings import Hosts
from services.pull.adapters.registry.uploads import Outcome
from shared import errdefs
from shared.oci import media_types
from tests.support import tls
from tests.support.registry import PASSWORD, USER, RegistryServer
from tests.support.registry_client import (
    Bytes,
    described,
    new_registry,
    plugin_manifest,
    repository,
)
from tests.support.token_server import IDENTITY_TOKEN, TokenServer

#: Loopback is no exception: certificates are checked, and http is never tried.
_STRICT = {"insecure_networks": ()}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tls.Pair:
    return tls.make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: tls.Pair) -> tls.Pair:
    return tls.issue(authority.key.parent, authority, "server")


@pytest.fixture(scope="module")
def basic(pair: tls.Pair) -> Iterator[RegistryServer]:
    with RegistryServer(tls=pair, has_login=True) as server:
        yield server


@pytest.fixture(scope="module")
def with_client_certificates(authority: tls.Pair, pair: tls.Pair) -> Iterator[RegistryServer]:
    with RegistryServer(tls=pair, client_authority=authority.certificate) as server:
        yield server


@pytest.fixture
def token_server(tmp_path: Path) -> Iterator[TokenServer]:
    with TokenServer(tmp_path / "tokens") as server:
        yield server


@pytest.fixture
def bearer(token_server: TokenServer) -> Iterator[RegistryServer]:
    with RegistryServer(token=token_server.config) as server:
        yield server


@pytest.fixture
async def make() -> AsyncIterator[Callable[[Hosts], Registry]]:
    made: list[Registry] = []

    def make(hosts: Hosts) -> Registry:
        made.append(new_registry(hosts=hosts))
        return made[-1]

    yield make
    for registry in made:
        await registry.aclose()


def trusting(folder: Path, server: RegistryServer, authority: tls.Pair) -> Hosts:
    """Return what trusts the server by a CA in its folder of certs.d."""
    certificates = folder / "certs.d" / server.authority
    certificates.mkdir(parents=True)
    (certificates / "ca.crt").write_bytes(authority.certificate.read_bytes())
    return Hosts(certificates=folder / "certs.d", insecure_networks=())


def login_of(server: RegistryServer, password: str = PASSWORD) -> Credentials:
    return Credentials(server=server.authority, username=USER, password=password)


async def test_a_private_ca_is_trusted_for_its_registry(
    tmp_path: Path,
    basic: RegistryServer,
    authority: tls.Pair,
    make: Callable[[Hosts], Registry],
) -> None:
    """With its CA in certs.d a registry is spoken to over verified TLS, and Basic goes there."""
    registry = make(trusting(tmp_path, basic, authority))
    body = os.urandom(5000)
    plugin = repository(registry, f"{basic.authority}/a/b", credentials=login_of(basic), push=True)

    assert await plugin.upload(described(body), Bytes(body=body)) is Outcome.UPLOADED
    await plugin.put_manifest(plugin_manifest(body), media_types.DOCKER_MANIFEST)
    assert (await plugin.resolve()).size == len(plugin_manifest(body))


async def test_an_unknown_ca_is_refused_with_what_to_do(
    tmp_path: Path, basic: RegistryServer, make: Callable[[Hosts], Registry]
) -> None:
    """A certificate that nobody vouches for ends it, however often it is tried."""
    registry = make(Hosts(certificates=tmp_path, insecure_networks=()))

    with pytest.raises(errdefs.Unavailable, match=f"certs.d/{basic.authority}/ca.crt"):
        await repository(registry, f"{basic.authority}/a/b").resolve()


async def test_an_insecure_registry_is_not_verified(
    tmp_path: Path, basic: RegistryServer, make: Callable[[Hosts], Registry]
) -> None:
    """Who is insecure by configuration is spoken to over TLS that nobody vouches for."""
    hosts = Hosts(
        certificates=tmp_path, insecure_networks=(), insecure=frozenset({basic.authority})
    )

    found = await make(hosts).login(login_of(basic))

    assert found.status == "Login Succeeded"


async def test_a_changed_ca_counts_at_once(
    tmp_path: Path,
    basic: RegistryServer,
    authority: tls.Pair,
    make: Callable[[Hosts], Registry],
) -> None:
    """A CA that is put into certs.d later needs no restart."""
    registry = make(Hosts(certificates=tmp_path / "certs.d", insecure_networks=()))
    with pytest.raises(errdefs.Unavailable):
        await registry.login(login_of(basic))

    trusting(tmp_path, basic, authority)

    await registry.login(login_of(basic))


async def test_a_client_certificate_is_shown(
    tmp_path: Path,
    with_client_certificates: RegistryServer,
    authority: tls.Pair,
    make: Callable[[Hosts], Registry],
) -> None:
    """A registry that asks for a client's certificate gets the pair of its folder."""
    server = with_client_certificates
    hosts = trusting(tmp_path, server, authority)
    with pytest.raises(errdefs.Unavailable):
        await make(hosts).ping(server.authority)
    ours = tls.issue(tmp_path, authority, "client")
    folder = hosts.certificates / server.authority
    (folder / "client.cert").write_bytes(ours.certificate.read_bytes())
    with pytest.raises(errdefs.InvalidArgument, match=r"missing key client\.key for client"):
        await make(hosts).ping(server.authority)
    (folder / "client.key").write_bytes(ours.key.read_bytes())

    await make(hosts).ping(server.authority)


async def test_a_wrong_password_is_told_in_dockers_words(
    tmp_path: Path,
    basic: RegistryServer,
    authority: tls.Pair,
    make: Callable[[Hosts], Registry],
) -> None:
    """A login that Basic refuses reads as dockerd's; a pull with it as access denied."""
    registry = make(trusting(tmp_path, basic, authority))
    wrong = login_of(basic, "wrong")

    with pytest.raises(errdefs.Unauthenticated) as caught:
        await registry.login(wrong)
    assert caught.value.message == (
        f"login attempt to https://{basic.authority}/v2/ failed with status: 401 Unauthorized"
    )
    assert caught.value.docker_unclassed
    for credentials in (wrong, None):
        plugin = repository(registry, f"{basic.authority}/a/b", credentials=credentials)
        with pytest.raises(errdefs.Unauthenticated, match="pull access denied, repository does"):
            await plugin.resolve()


async def test_blobs_at_the_same_time_share_a_password(
    tmp_path: Path,
    basic: RegistryServer,
    authority: tls.Pair,
    make: Callable[[Hosts], Registry],
) -> None:
    """Of requests that were all sent before the first challenge, none takes it for a refusal."""
    registry = make(trusting(tmp_path, basic, authority))
    bodies = [os.urandom(1000) for _ in range(8)]
    login = login_of(basic)
    plugin = repository(registry, f"{basic.authority}/a/b", credentials=login, push=True)

    outcomes = [plugin.upload(described(body), Bytes(body=body)) for body in bodies]

    assert set(await asyncio.gather(*outcomes)) == {Outcome.UPLOADED}


@pytest.mark.parametrize("knows_post", [True, False])
async def test_a_password_becomes_a_token(
    bearer: RegistryServer,
    token_server: TokenServer,
    make: Callable[[Hosts], Registry],
    *,
    knows_post: bool,
) -> None:
    """One token, by POST or else by GET, serves a push; both classes of scope are asked for."""
    token_server.knows_post = knows_post
    body = os.urandom(50_000)
    plugin = repository(
        make(Hosts()), f"{bearer.authority}/a/b", credentials=login_of(bearer), push=True
    )

    assert await plugin.upload(described(body), Bytes(body=body)) is Outcome.UPLOADED
    await plugin.put_manifest(plugin_manifest(body), media_types.DOCKER_MANIFEST)

    assert [asked.method for asked in token_server.asked] == ["POST"] + ["GET"] * (not knows_post)
    asked = token_server.asked[-1]
    assert asked.user == USER
    assert set(asked.scopes) == {"repository(plugin):a/b:pull,push", "repository:a/b:pull,push"}


async def test_an_identity_token_is_a_refresh_token(
    bearer: RegistryServer, token_server: TokenServer, make: Callable[[Hosts], Registry]
) -> None:
    """A login gives an identity token, which then stands for the password."""
    registry = make(Hosts())

    found = await registry.login(login_of(bearer))
    assert found.identity_token == IDENTITY_TOKEN
    plugin = repository(
        registry,
        f"{bearer.authority}/a/b",
        credentials=Credentials(server=bearer.authority, identity_token=found.identity_token),
        push=True,
    )
    assert not await plugin.has_blob(described(b"").digest)

    assert token_server.asked[-1].grant == "refresh_token"


async def test_a_login_that_the_token_server_refuses(
    bearer: RegistryServer, make: Callable[[Hosts], Registry]
) -> None:
    """The token server's words are told as dockerd tells them."""
    with pytest.raises(errdefs.Unauthenticated) as caught:
        await make(Hosts()).login(login_of(bearer, "wrong"))

    assert caught.value.message.startswith(f'Get "http://{bearer.authority}/v2/": unauthorized: ')
    assert "incorrect username or password" in caught.value.message
    assert not caught.value.docker_unclassed


async def test_anyone_may_pull_what_is_public(
    bearer: RegistryServer, token_server: TokenServer, make: Callable[[Hosts], Registry]
) -> None:
    """Without a login a token is asked for too; what it does not open is denied."""
    registry = make(Hosts())

    with pytest.raises(errdefs.NotFound):
        await repository(registry, f"{bearer.authority}/public/b").resolve()
    with pytest.raises(errdefs.Unauthenticated) as caught:
        await repository(registry, f"{bearer.authority}/private/b").resolve()

    assert "pull access denied" in caught.value.message
    assert "server message: insufficient_scope: authorization failed" in caught.value.message
    assert {asked.user for asked in token_server.asked} == {""}


async def test_requests_at_the_same_time_share_a_token(
    bearer: RegistryServer, token_server: TokenServer, make: Callable[[Hosts], Registry]
) -> None:
    """Eight questions about one repository ask for one token."""
    registry = make(Hosts())
    login = login_of(bearer)

    async def ask() -> bool:
        plugin = repository(registry, f"{bearer.authority}/a/b", credentials=login)
        return await plugin.has_blob(described(b"x").digest)

    assert await asyncio.gather(*(ask() for _ in range(8))) == [False] * 8
    assert len(token_server.asked) == 1


async def test_blobs_at_the_same_time_share_a_token(
    bearer: RegistryServer, token_server: TokenServer, make: Callable[[Hosts], Registry]
) -> None:
    """Eight questions of one operation ask for one token."""
    plugin = repository(make(Hosts()), f"{bearer.authority}/a/b", credentials=login_of(bearer))
    digests = [described(bytes([number])).digest for number in range(8)]

    assert await asyncio.gather(*map(plugin.has_blob, digests)) == [False] * 8
    assert len(token_server.asked) == 1


async def test_tokens_of_one_login_are_not_another_ones(
    bearer: RegistryServer, token_server: TokenServer, make: Callable[[Hosts], Registry]
) -> None:
    """A token that a login got is never used for a request without it."""
    registry = make(Hosts())
    name = f"{bearer.authority}/private/b"
    with pytest.raises(errdefs.NotFound):
        await repository(registry, name, credentials=login_of(bearer)).resolve()

    with pytest.raises(errdefs.Unauthenticated):
        await repository(registry, name).resolve()
