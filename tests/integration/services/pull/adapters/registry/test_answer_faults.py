"""Manifests and other whole answers from a registry that is busy, broken or hostile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.repository import Repository
from services.pull.adapters.registry.settings import Limits
from shared import errdefs
from shared.oci import media_types
from shared.oci.digest import digest_of
from tests.support import faulty_registry as does
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry_client import Sleeps, new_registry, plugin_manifest, repository

_MANIFEST = plugin_manifest()
_DIGEST = digest_of(_MANIFEST)
_PATH = "/v2/a/b/manifests/latest"
_GOOD = does.answer(
    200, _MANIFEST, Content_Type=media_types.DOCKER_MANIFEST, Docker_Content_Digest=_DIGEST
)
_LIMITS = Limits(stall_s=0.3, answer_s=0.5, attempts=3, retry_after_cap_s=60.0)


@pytest.fixture
async def registry(sleeps: Sleeps) -> AsyncIterator[Registry]:
    registry = new_registry(limits=_LIMITS, sleep=sleeps)
    yield registry
    await registry.aclose()


@pytest.fixture
def plugin(faulty: FaultyRegistry, registry: Registry) -> Repository:
    return repository(
        registry, f"{faulty.authority}/a/b", headers={"X-Meta-Job": "7", "Cookie": "c"}
    )


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_busy_registry_is_asked_again(
    faulty: FaultyRegistry, plugin: Repository, sleeps: Sleeps, status: int
) -> None:
    """Statuses that pass are waited out."""
    faulty.on("GET", _PATH, does.answer(status), does.answer(status), _GOOD)

    assert (await plugin.manifest()).body == _MANIFEST
    assert len(sleeps.taken) == 2


async def test_retry_after_is_honoured(
    faulty: FaultyRegistry, plugin: Repository, sleeps: Sleeps
) -> None:
    """A registry that says how long to wait is waited for just so long."""
    faulty.on("GET", _PATH, does.answer(429, Retry_After="17"), _GOOD)

    await plugin.manifest()

    assert sleeps.taken == [17.0]


async def test_a_registry_that_asks_for_too_long_a_pause_is_left(
    faulty: FaultyRegistry, plugin: Repository, sleeps: Sleeps
) -> None:
    """Beyond the cap nobody waits: the error says that there is a limit, and what helps."""
    said = b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}'
    faulty.on("GET", _PATH, does.answer(429, said, Retry_After="3600"))

    with pytest.raises(errdefs.ResourceExhausted, match="toomanyrequests: slow down: wait"):
        await plugin.manifest()
    assert sleeps.taken == []


async def test_a_broken_registry_is_unavailable(
    faulty: FaultyRegistry, plugin: Repository, sleeps: Sleeps
) -> None:
    """After all attempts the last answer is told."""
    faulty.on("GET", _PATH, does.answer(503))

    with pytest.raises(errdefs.Unavailable, match="503 Service Unavailable"):
        await plugin.manifest()
    assert len(faulty.to("GET", _PATH)) == _LIMITS.attempts


async def test_a_reset_before_the_answer_is_tried_again(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A connection that breaks in the place of an answer costs an attempt."""
    faulty.on("GET", _PATH, does.reset(), _GOOD)

    assert (await plugin.manifest()).body == _MANIFEST


async def test_content_that_is_not_the_digest_asked_for_is_refused(
    faulty: FaultyRegistry, registry: Registry
) -> None:
    """Bytes fetched by digest are checked against it, whatever the registry calls them."""
    plugin = repository(registry, f"{faulty.authority}/a/b:tag@{_DIGEST}")
    other = plugin_manifest(b"other")
    path = f"/v2/a/b/manifests/{_DIGEST}"
    faulty.on("GET", path, does.answer(200, other, Docker_Content_Digest=_DIGEST))

    with pytest.raises(errdefs.InvalidArgument, match=f"{digest_of(other)}, not {_DIGEST}"):
        await plugin.manifest()


async def test_a_lie_about_the_digest_is_refused(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """Bytes fetched by tag are checked against what the registry calls them."""
    lie = digest_of(b"something else")
    faulty.on("GET", _PATH, does.answer(200, _MANIFEST, Docker_Content_Digest=lie))

    with pytest.raises(errdefs.InvalidArgument, match="nothing of it was used"):
        await plugin.manifest()


async def test_a_head_for_a_digest_that_names_another_is_refused(
    faulty: FaultyRegistry, registry: Registry
) -> None:
    """What HEAD says of a digest is checked too."""
    plugin = repository(registry, f"{faulty.authority}/a/b@{_DIGEST}")
    path = f"/v2/a/b/manifests/{_DIGEST}"
    faulty.on("HEAD", path, does.answer(200, b"x", Docker_Content_Digest=digest_of(b"x")))

    with pytest.raises(errdefs.InvalidArgument, match="error resolving plugin reference"):
        await plugin.resolve()


async def test_a_registry_without_head_is_asked_by_get(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """405 to HEAD, and a HEAD without a digest, send the question on as GET."""
    faulty.on("HEAD", _PATH, does.answer(405), does.answer(200, _MANIFEST))
    faulty.on("GET", _PATH, does.answer(200, _MANIFEST))

    for _ in range(2):
        assert (await plugin.resolve()).digest == _DIGEST
    assert len(faulty.to("GET", _PATH)) == 2


async def test_an_old_registry_is_asked_with_a_header_a_type(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """After a failure each type is accepted by a header of its own; X-Meta headers go along."""
    faulty.on("HEAD", _PATH, does.answer(404), _GOOD)

    assert (await plugin.resolve()).digest == _DIGEST

    first, second = faulty.to("HEAD", _PATH)
    assert first.all("accept") == [", ".join(media_types.ACCEPT)]
    assert second.all("accept") == list(media_types.ACCEPT[:4])
    for asked in (first, second):
        assert asked.header("x-meta-job") == "7"
        assert asked.header("cookie") == ""


@pytest.mark.parametrize("says_its_length", [True, False])
async def test_a_manifest_of_100_megabytes_is_not_read(
    faulty: FaultyRegistry, plugin: Repository, *, says_its_length: bool
) -> None:
    """A manifest beyond Docker's limit is refused in Docker's words."""
    whole = does.raw(does.head_of(200, {"Content-Length": "100000000"}), bytes(5_000_000))
    faulty.on("GET", _PATH, whole if says_its_length else does.endless())

    with pytest.raises(errdefs.NotFound, match=r"rejecting .* byte manifest for .*: not found"):
        await plugin.manifest()


async def test_a_head_of_100_megabytes_is_not_followed(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """The size that HEAD tells is enough to refuse a manifest."""
    head = does.head_of(200, {"Content-Length": "100000000", "Docker-Content-Digest": _DIGEST})
    faulty.on("HEAD", _PATH, does.raw(head))

    with pytest.raises(errdefs.NotFound) as caught:
        await plugin.resolve()
    assert caught.value.message == (
        "error resolving plugin reference: rejecting 100000000 byte manifest for "
        f"{faulty.authority}/a/b:latest: not found"
    )


async def test_huge_headers_are_refused(faulty: FaultyRegistry, plugin: Repository) -> None:
    """Headers without end are not gathered."""
    faulty.on("GET", _PATH, does.raw(b"HTTP/1.1 200 OK\r\n", *([b"X: " + b"x" * 50_000] * 50)))

    with pytest.raises(errdefs.Unavailable, match="does not speak HTTP as it should"):
        await plugin.manifest()


async def test_headers_that_drip_are_given_up(faulty: FaultyRegistry, plugin: Repository) -> None:
    """A head that never gets to its end runs into the limit for answers."""
    drip = [b"H"] + [b"T"] * 200
    faulty.on("GET", _PATH, does.raw(*drip, pause_s=0.02))

    with pytest.raises(errdefs.Unavailable, match=r"too slow|as it should"):
        async with asyncio.timeout(10):
            await plugin.manifest()


async def test_no_answer_is_given_up(faulty: FaultyRegistry, plugin: Repository) -> None:
    """A registry that takes a request and says nothing runs into the same limit."""
    faulty.on("GET", _PATH, does.raw(then_stall=True))

    with pytest.raises(errdefs.Unavailable, match="too slow"):
        async with asyncio.timeout(10):
            await plugin.manifest()


async def test_a_redirect_to_nobody_names_that_place(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """The error is about the address that does not answer, not about the registry that does."""
    faulty.on("GET", _PATH, does.redirect("http://127.0.0.1:9/elsewhere"))

    with pytest.raises(errdefs.Unavailable, match=r"127\.0\.0\.1:9: .*Connect"):
        await plugin.manifest()


async def test_a_redirect_loop_ends(faulty: FaultyRegistry, plugin: Repository) -> None:
    """Redirects are followed so often and no further, and not all over again."""
    faulty.on("GET", _PATH, does.redirect(_PATH))

    with pytest.raises(errdefs.Unavailable, match="redirected more than 10 times"):
        await plugin.manifest()
    assert len(faulty.to("GET", _PATH)) == 11


async def test_forbidden_is_permission_denied(faulty: FaultyRegistry, plugin: Repository) -> None:
    """A 403 is told with what the registry says, in one short line."""
    said = b'{"errors": [{"code": "DENIED", "message": "not\\n yours\\u001b[31m"}]}'
    faulty.on("GET", _PATH, does.answer(403, said))

    with pytest.raises(errdefs.PermissionDenied, match=r"denied: not yours\[31m: ask"):
        await plugin.manifest()


async def test_an_unauthorised_pull_is_told_in_dockers_words(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A 401 that nothing answers is Docker's pull access denied."""
    faulty.on("HEAD", _PATH, does.answer(401))

    with pytest.raises(errdefs.Unauthenticated) as caught:
        await plugin.resolve()
    assert caught.value.message == (
        "error resolving plugin reference: pull access denied, repository does not exist or may "
        "require authorization: authorization failed"
    )
    assert caught.value.docker_unclassed


async def test_nobody_there_is_unavailable(sleeps: Sleeps, faulty: FaultyRegistry) -> None:
    """A host that nobody answers for is told at once, with what to look at."""
    authority = faulty.authority
    await faulty.__aexit__(None, None, None)
    registry = new_registry(limits=_LIMITS, sleep=sleeps)

    with pytest.raises(errdefs.Unavailable, match=f"cannot reach registry {authority}"):
        await repository(registry, f"{authority}/a/b").manifest()
    assert sleeps.taken == []


async def test_a_registry_that_goes_away_is_waited_for(
    faulty: FaultyRegistry, plugin: Repository, sleeps: Sleeps
) -> None:
    """Who answered before may be starting anew: it gets all its attempts."""
    faulty.on("GET", _PATH, _GOOD)
    await plugin.manifest()
    await faulty.__aexit__(None, None, None)

    with pytest.raises(errdefs.Unavailable, match="cannot reach registry"):
        await plugin.manifest()
    assert len(sleeps.taken) == _LIMITS.attempts - 1


async def test_tags_that_never_end_are_given_up(faulty: FaultyRegistry, plugin: Repository) -> None:
    """A list whose next page is itself is no list."""
    path = "/v2/a/b/tags/list"
    faulty.on("GET", path, does.answer(200, b'{"tags": ["a"]}', Link=f'<{path}>; rel="next"'))

    with pytest.raises(errdefs.InvalidArgument, match="does not end"):
        await plugin.tags()


async def test_tags_come_in_pages(faulty: FaultyRegistry, plugin: Repository) -> None:
    """Pages are followed by their Link headers, relative ones too."""
    path = "/v2/a/b/tags/list"
    faulty.on(
        "GET",
        path,
        does.answer(200, b'{"tags": ["a", "b"]}', Link=f'<{path}?last=b>; rel="next"'),
        does.answer(200, b'{"tags": ["c"]}'),
    )

    assert await plugin.tags() == ["a", "b", "c"]
    assert [asked.query for asked in faulty.to("GET", path)] == ["", "last=b"]
