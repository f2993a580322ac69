"""Which host sees a login, a token, an X-Meta header: the one they were given for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.credentials import Credentials
from services.pull.adapters.registry.settings import Hosts
from shared import errdefs
from tests.support import faulty_registry as does
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry_client import (
    NOWHERE,
    Sleeps,
    described,
    new_registry,
    plugin_manifest,
    repository,
    whole,
)
from tests.support.spans import recorded

_BODY = b"a layer" * 1000
_BLOB = described(_BODY)
_BLOB_PATH = f"/v2/a/b/blobs/{_BLOB.digest}"
_MANIFEST_PATH = "/v2/a/b/manifests/latest"
_BASIC = does.answer(401, WWW_Authenticate='Basic realm="r"')


@pytest.fixture
async def other() -> AsyncIterator[FaultyRegistry]:
    """Be a host that is not the registry: a CDN, a mirror, a thief."""
    async with FaultyRegistry() as other:
        yield other


@pytest.fixture
async def registry(sleeps: Sleeps) -> AsyncIterator[Registry]:
    registry = new_registry(sleep=sleeps)
    yield registry
    await registry.aclose()


def login_for(authority: str) -> Credentials:
    return Credentials(server=authority, username="robin", password="cuckoo-7")


async def test_a_redirect_to_another_host_carries_no_login(
    faulty: FaultyRegistry, other: FaultyRegistry, registry: Registry
) -> None:
    """A CDN gets the Range, and neither Authorization nor X-Meta headers."""
    faulty.on("GET", _BLOB_PATH, _BASIC, does.redirect(f"{other.url}/cdn?signature=s3cret"))
    other.on("GET", "/cdn", does.blob(_BODY))
    plugin = repository(
        registry,
        f"{faulty.authority}/a/b",
        credentials=login_for(faulty.authority),
        headers={"X-Meta-Team": "volumes"},
    )

    assert await whole(plugin, _BLOB, offset=10) == _BODY[10:]

    first, second = faulty.to("GET", _BLOB_PATH)
    assert (first.header("authorization"), first.header("x-meta-team")) == ("", "volumes")
    assert second.header("authorization").startswith("Basic ")
    (cdn,) = other.asked
    assert cdn.header("range") == "bytes=10-"
    assert (cdn.header("authorization"), cdn.header("x-meta-team")) == ("", "")


async def test_another_hosts_challenge_gets_no_answer(
    faulty: FaultyRegistry, other: FaultyRegistry, registry: Registry
) -> None:
    """A host that we were redirected to may ask for our login, and is not told."""
    faulty.on("GET", _BLOB_PATH, _BASIC, does.redirect(f"{other.url}/thief"))
    other.on("GET", "/thief", _BASIC)
    plugin = repository(
        registry, f"{faulty.authority}/a/b", credentials=login_for(faulty.authority)
    )

    with pytest.raises(errdefs.Unauthenticated):
        await whole(plugin, _BLOB)
    assert [asked.header("authorization") for asked in other.asked] == [""]


async def test_a_login_for_another_host_stays_here(
    faulty: FaultyRegistry, registry: Registry
) -> None:
    """A serveraddress that is not the registry asked keeps the login from it."""
    faulty.on("GET", _MANIFEST_PATH, _BASIC)
    plugin = repository(
        registry, f"{faulty.authority}/a/b", credentials=login_for("registry.example.com")
    )

    with pytest.raises(errdefs.Unauthenticated, match="no basic auth credentials"):
        await plugin.manifest()
    assert {asked.header("authorization") for asked in faulty.asked} == {""}


async def test_a_mirror_sees_no_login_of_docker_hub(faulty: FaultyRegistry, sleeps: Sleeps) -> None:
    """A mirror is asked for Hub's content without Hub's login; a 403 of it is the last word."""
    hosts = Hosts(mirrors=(faulty.url,), certificates=NOWHERE)
    registry = new_registry(hosts=hosts, sleep=sleeps)
    manifest = plugin_manifest()
    faulty.on("GET", _MANIFEST_PATH, does.answer(200, manifest), does.answer(403))
    plugin = repository(registry, "a/b", credentials=login_for("https://index.docker.io/v1/"))

    assert (await plugin.manifest()).body == manifest
    with pytest.raises(errdefs.PermissionDenied):
        await plugin.manifest()
    assert {asked.header("authorization") for asked in faulty.asked} == {""}
    await registry.aclose()


async def test_a_mirror_that_fails_is_passed_over(
    faulty: FaultyRegistry, other: FaultyRegistry, sleeps: Sleeps
) -> None:
    """A mirror's 401, 404 and 5xx send the question on at once, without a pause."""
    hosts = Hosts(mirrors=(other.url, faulty.url), certificates=NOWHERE)
    registry = new_registry(hosts=hosts, sleep=sleeps)
    faulty.on("GET", _BLOB_PATH, does.blob(_BODY))
    faults = (_BASIC, does.answer(404), does.answer(503), does.reset(), does.blob(b"short"))

    for fault in (*faults, does.broken_blob(_BODY, 1000)):
        other.on("GET", _BLOB_PATH, fault)
        assert await whole(repository(registry, "a/b"), _BLOB) == _BODY
    assert len(other.asked) == len(faulty.asked) == len(faults) + 1
    assert faulty.asked[-1].header("range") == "bytes=1000-"
    assert sleeps.taken == []
    await registry.aclose()


async def test_what_mirrors_alone_say_is_told_as_that(
    faulty: FaultyRegistry, sleeps: Sleeps
) -> None:
    """Not found is only the mirrors' word where Docker Hub itself is out of reach."""
    hosts = Hosts(mirrors=(faulty.url,), certificates=NOWHERE)
    registry = new_registry(hosts=hosts, env={"HTTPS_PROXY": "http://127.0.0.1:9"}, sleep=sleeps)

    with pytest.raises(errdefs.NotFound) as caught:
        await repository(registry, "a/b").resolve()

    said = "error resolving plugin reference: docker.io/a/b:latest: not found: so say its mirrors; "
    assert caught.value.message.startswith(said)
    assert "cannot reach registry registry-1.docker.io: proxy 127.0.0.1:9: " in caught.value.message
    await registry.aclose()


async def test_a_registry_token_goes_as_it_is(faulty: FaultyRegistry, registry: Registry) -> None:
    """A registry token is sent as Bearer, unasked, and a refusal of it is final."""
    faulty.on("GET", _MANIFEST_PATH, does.answer(200, plugin_manifest()), _BASIC)
    plugin = repository(
        registry,
        f"{faulty.authority}/a/b",
        credentials=Credentials(server=faulty.authority, registry_token="r3gtoken"),
    )

    await plugin.manifest()
    with pytest.raises(errdefs.Unauthenticated, match="the registry token was refused"):
        await plugin.manifest()
    assert [asked.header("authorization") for asked in faulty.asked] == ["Bearer r3gtoken"] * 2


async def test_a_withdrawn_token_is_replaced_once(
    faulty: FaultyRegistry, other: FaultyRegistry, registry: Registry
) -> None:
    """A 401 in the middle of an operation gets a new token, and one try with it."""
    asks = does.answer(
        401, WWW_Authenticate=f'Bearer realm="{other.url}/token",service="s",error="invalid_token"'
    )
    good = does.answer(200, plugin_manifest())
    tokens = [does.answer(200, json.dumps({"token": f"t{number}"}).encode()) for number in range(9)]
    other.on("GET", "/token", *tokens)
    plugin = repository(registry, f"{faulty.authority}/a/b")
    faulty.on("GET", _MANIFEST_PATH, asks, good, asks, good)

    await plugin.manifest()
    await plugin.manifest()

    sent = [asked.header("authorization") for asked in faulty.asked]
    assert sent == ["", "Bearer t0", "Bearer t0", "Bearer t1"]
    assert "scope=repository%28plugin%29%3Aa%2Fb%3Apull&scope=" in other.asked[0].query
    faulty.on("GET", _MANIFEST_PATH, asks)
    with pytest.raises(errdefs.Unauthenticated, match="invalid_token"):
        await plugin.manifest()


@pytest.mark.parametrize(
    "realm",
    ["http://tokens.example.com/token", "ftp://x/", "no address", "https://xn--a.example/t"],
)
async def test_a_login_goes_to_no_token_server_in_the_clear(
    faulty: FaultyRegistry, registry: Registry, realm: str
) -> None:
    """A token server that a registry names must be https, or insecure by configuration."""
    faulty.on("GET", _MANIFEST_PATH, does.answer(401, WWW_Authenticate=f'Bearer realm="{realm}"'))
    plugin = repository(
        registry, f"{faulty.authority}/a/b", credentials=login_for(faulty.authority)
    )

    with pytest.raises(errdefs.Unauthenticated, match="token server"):
        await plugin.manifest()


async def test_a_redirect_of_the_token_server_is_not_followed(
    faulty: FaultyRegistry, other: FaultyRegistry, registry: Registry
) -> None:
    """A token server can't send a login on to somebody else."""
    realm = f"{faulty.url}/token"
    faulty.on("GET", _MANIFEST_PATH, does.answer(401, WWW_Authenticate=f'Bearer realm="{realm}"'))
    faulty.on("POST", "/token", does.redirect(f"{other.url}/token"))
    plugin = repository(
        registry, f"{faulty.authority}/a/b", credentials=login_for(faulty.authority)
    )

    with pytest.raises(errdefs.Unauthenticated, match="answered 307"):
        await plugin.manifest()
    assert other.asked == []


async def test_a_proxy_forwards_and_is_told_its_own_login_only(
    faulty: FaultyRegistry, sleeps: Sleeps
) -> None:
    """Plain HTTP goes to the proxy with the whole address; NO_PROXY keeps a host off it."""
    env = {"HTTP_PROXY": f"http://me:pr0xy@{faulty.authority}", "NO_PROXY": "direct.invalid"}
    insecure = frozenset({"registry.invalid", "direct.invalid"})
    registry = new_registry(
        hosts=Hosts(insecure=insecure, certificates=NOWHERE), env=env, sleep=sleeps
    )
    manifest = plugin_manifest()
    faulty.on("GET", _MANIFEST_PATH, does.answer(200, manifest))

    assert (await repository(registry, "registry.invalid/a/b").manifest()).body == manifest
    with pytest.raises(errdefs.Unavailable, match=r"cannot reach registry direct\.invalid"):
        await repository(registry, "direct.invalid/a/b").manifest()

    (asked,) = faulty.asked
    assert asked.header("host") == "registry.invalid"
    assert asked.header("proxy-authorization").startswith("Basic ")
    await registry.aclose()


async def test_a_span_a_request_holds_no_secret(
    faulty: FaultyRegistry,
    other: FaultyRegistry,
    registry: Registry,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every request has a span with method, host, path and status; secrets are nowhere."""
    faulty.on("GET", _BLOB_PATH, does.answer(503), _BASIC,
              does.redirect(f"{other.url}/cdn?signature=s3cret"))  # fmt: skip
    other.on("GET", "/cdn", does.answer(418))
    plugin = repository(
        registry, f"{faulty.authority}/a/b", credentials=login_for(faulty.authority)
    )

    with recorded() as exporter, pytest.raises(errdefs.InvalidArgument) as caught:
        await whole(plugin, _BLOB)

    heard = [span for span in exporter.get_finished_spans() if _status(span)]
    assert [_status(span) for span in heard] == [503, 401, 307, 418]
    assert {span.name for span in heard} == {"GET registry"}
    last = heard[-1].attributes or {}
    assert (last["server.address"], last["url.path"]) == ("127.0.0.1", "/cdn")
    assert last["http.request.resend_count"] == 1
    told = (
        "".join(span.to_json() for span in heard) + caught.value.message + capsys.readouterr().out
    )
    for secret in ("s3cret", "cuckoo-7", "Basic"):
        assert secret not in told


def _status(span: ReadableSpan) -> int:
    return int(str((span.attributes or {}).get("http.response.status_code", 0)))
