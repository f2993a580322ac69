"""Uploads to a registry that breaks, forgets, and knows less than the specification."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.repository import Repository
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.uploads import Outcome
from shared import errdefs
from tests.support import faulty_registry as does
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry_client import Bytes, Sleeps, described, new_registry, repository

_CHUNK = 100_000
_BODY = os.urandom(250_000)
_BLOB = described(_BODY)
_SMALL = os.urandom(50_000)
_POST = "/v2/a/b/blobs/uploads/"
_AT = "/upload/1"
_BEGUN = does.answer(202, Location=f"{_AT}?state=s")
_CREATED = does.answer(201)
_LIMITS = Limits(upload_chunk_bytes=_CHUNK, attempts=3)


@pytest.fixture
async def registry(sleeps: Sleeps) -> AsyncIterator[Registry]:
    registry = new_registry(limits=_LIMITS, sleep=sleeps)
    yield registry
    await registry.aclose()


@pytest.fixture
def plugin(faulty: FaultyRegistry, registry: Registry) -> Repository:
    faulty.on("POST", _POST, _BEGUN)
    return repository(registry, f"{faulty.authority}/a/b", push=True)


def took(end: int) -> does.Behaviour:
    """Answer that the registry has the bytes before *end*, and give the next location."""
    return does.answer(202, Location=f"{_AT}?state={end}", Range=f"0-{end - 1}")


async def test_chunks_follow_one_another(faulty: FaultyRegistry, plugin: Repository) -> None:
    """Each chunk goes to the location that the one before it gave, the last PUT too."""
    faulty.on("PATCH", _AT, took(100_000), took(200_000), took(250_000))
    faulty.on("PUT", _AT, _CREATED)

    assert await plugin.upload(_BLOB, Bytes(body=_BODY)) is Outcome.UPLOADED

    sent = faulty.to("PATCH")
    assert b"".join(asked.body for asked in sent) == _BODY
    assert [asked.query for asked in sent] == ["state=s", "state=100000", "state=200000"]
    assert [asked.header("content-range") for asked in sent] == [
        "0-99999",
        "100000-199999",
        "200000-249999",
    ]
    (end,) = faulty.to("PUT")
    assert end.query == f"state=250000&digest={_BLOB.digest.replace(':', '%3A')}"


async def test_a_broken_chunk_goes_on_where_the_registry_says(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """After a reset the registry is asked what it has, and gets the rest."""
    faulty.on("PATCH", _AT, took(100_000), does.reset(), took(250_000))
    faulty.on("GET", _AT, does.answer(204, Location=f"{_AT}?state=again", Range="0-149999"))
    faulty.on("PUT", _AT, _CREATED)
    content = Bytes(body=_BODY)

    assert await plugin.upload(_BLOB, content) is Outcome.UPLOADED
    assert content.reads == [(0, 100_000), (100_000, 200_000), (150_000, 250_000)]


async def test_an_upload_that_was_forgotten_begins_anew(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A registry that lost the upload gets all of it again."""
    steps = (took(100_000), does.answer(503), took(100_000), took(200_000), took(250_000))
    faulty.on("PATCH", _AT, *steps)
    faulty.on("GET", _AT, does.answer(404))
    faulty.on("PUT", _AT, _CREATED)

    assert await plugin.upload(_BLOB, Bytes(body=_BODY)) is Outcome.UPLOADED
    assert len(faulty.to("POST")) == 2


async def test_a_registry_that_knows_no_chunks_gets_one_request(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """Where the first chunk is not understood, the blob goes up whole."""
    faulty.on("PATCH", _AT, does.answer(405))
    faulty.on("PUT", _AT, _CREATED)

    assert await plugin.upload(_BLOB, Bytes(body=_BODY)) is Outcome.UPLOADED
    (put,) = faulty.to("PUT")
    assert put.body == _BODY


async def test_chunks_that_lead_nowhere_are_given_up(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A registry that takes chunks and keeps nothing is not fed for ever."""
    faulty.on("PATCH", _AT, does.answer(202, Location=_AT, Range="0-0"))

    with pytest.raises(errdefs.Unavailable, match="took a chunk"):
        await plugin.upload(_BLOB, Bytes(body=_BODY))


async def test_a_lost_answer_is_no_lost_upload(faulty: FaultyRegistry, plugin: Repository) -> None:
    """Where the answer to the last request got lost, the blob is looked for first."""
    small = described(_SMALL)
    faulty.on("PUT", _AT, does.reset())
    faulty.on("HEAD", f"/v2/a/b/blobs/{small.digest}", does.answer(404), does.answer(200))

    assert await plugin.upload(small, Bytes(body=_SMALL)) is Outcome.UPLOADED
    assert len(faulty.to("PUT")) == 1


async def test_a_broken_put_begins_anew(
    faulty: FaultyRegistry, plugin: Repository, sleeps: Sleeps
) -> None:
    """A small blob whose upload broke is uploaded again, from its start."""
    faulty.on("PUT", _AT, does.reset(), does.answer(503), _CREATED)

    assert await plugin.upload(described(_SMALL), Bytes(body=_SMALL)) is Outcome.UPLOADED
    assert len(faulty.to("POST")) == 3
    assert len(sleeps.taken) == 2


async def test_a_refusal_is_told(faulty: FaultyRegistry, plugin: Repository) -> None:
    """What the registry says against a blob is the error."""
    said = b'{"errors": [{"code": "DIGEST_INVALID", "message": "no such digest"}]}'
    faulty.on("PUT", _AT, does.answer(400, said))

    with pytest.raises(errdefs.InvalidArgument, match="digest_invalid: no such digest"):
        await plugin.upload(described(_SMALL), Bytes(body=_SMALL))


async def test_a_refusal_before_the_end_of_a_body_is_heard(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """An answer that comes while we still send ends the sending."""
    big = os.urandom(20_000_000)
    faulty.refuses_body_of = "PUT"
    registry = new_registry(limits=Limits(upload_chunk_bytes=1 << 30, attempts=1))
    plugin = repository(registry, f"{faulty.authority}/a/b", push=True)

    with pytest.raises(errdefs.InvalidArgument, match="413"):
        await plugin.upload(described(big), Bytes(body=big))
    await registry.aclose()


async def test_a_small_blob_goes_up_with_the_request_that_begins(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A registry that can takes a small blob in one request."""
    faulty.on("POST", _POST, _CREATED)
    body = b"{}"

    assert await plugin.upload(described(body), Bytes(body=body)) is Outcome.UPLOADED
    (post,) = faulty.to("POST")
    assert post.body == body
    assert faulty.to("PUT") == []


async def test_a_mount_that_is_not_ours_to_see_becomes_an_upload(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A registry that refuses the mount's source gets the bytes."""
    faulty.on("POST", _POST, does.answer(403), _BEGUN)
    faulty.on("PUT", _AT, _CREATED)

    outcome = await plugin.upload(described(_SMALL), Bytes(body=_SMALL), mount_from="x/y")

    assert outcome is Outcome.UPLOADED
    assert faulty.to("POST")[0].query.endswith("&from=x%2Fy")


async def test_a_registry_that_gives_no_location(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """An upload that leads nowhere is told so."""
    faulty.on("POST", _POST, does.answer(202))

    with pytest.raises(errdefs.Unavailable, match="does not say where to upload"):
        await plugin.upload(described(_SMALL), Bytes(body=_SMALL))


async def test_a_manifest_that_was_altered_is_told(
    faulty: FaultyRegistry, plugin: Repository
) -> None:
    """A registry that stores another manifest than it was given is found out."""
    other = described(b"other").digest
    path = "/v2/a/b/manifests/latest"
    faulty.on("PUT", path, does.answer(201, Docker_Content_Digest=other))

    with pytest.raises(errdefs.InvalidArgument, match=other):
        await plugin.put_manifest(b"{}", "application/json")
