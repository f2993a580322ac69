"""Signatures found at a real registry, and at one that knows referrers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.settings import Hosts
from services.pull.domain import cosign, verification
from services.pull.domain.public_key import PublicKey
from services.pull.domain.trust_policy import TrustMode, TrustRule
from services.pull.service.signatures import MOST_BYTES, Found, SignatureSearch
from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.reference import parse
from tests.support import faulty_registry as does
from tests.support import signing
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry import RegistryServer
from tests.support.registry_client import (
    NOWHERE,
    Bytes,
    described,
    new_registry,
    plugin_manifest,
    repository,
)
from tests.support.signed import push
from tests.support.signing import Artifact, Layer

KEY = signing.ecdsa_key()
MANIFEST = plugin_manifest()
SUBJECT = described(MANIFEST, media_types.DOCKER_MANIFEST)
SIGNED = signing.simple(KEY, signing.payload(SUBJECT.digest))


@pytest.fixture(scope="module")
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    registry = new_registry()
    yield registry
    await registry.aclose()


async def search(registry: Registry, name: str) -> Found:
    """Look for the signatures of the one manifest."""
    tagged = repository(registry, f"{name}:{cosign.tag_of(SUBJECT.digest)}")
    return await SignatureSearch(
        digest=SUBJECT.digest, repository=repository(registry, name), tagged=tagged
    ).run()


def verified(found: Found, name: str) -> list[str]:
    """Return the keys whose signatures are valid."""
    rule = TrustRule(prefix="", mode=TrustMode.REQUIRE, keys=(KEY.public,))
    verdicts = [
        verification.judge(one, rule=rule, ref=parse(name), digest=SUBJECT.digest)
        for one in found.signatures
    ]
    return [one.fingerprint for one in verdicts if isinstance(one, PublicKey)]


async def test_the_tag_scheme(server: RegistryServer, registry: Registry) -> None:
    """What lies under cosign's tag at docker-registry is found, bad signatures beside good ones."""
    name = f"{server.authority}/tagged/p"
    bad = signing.simple(signing.ecdsa_key(), signing.payload(SUBJECT.digest))
    garbage = signing.raw(signing.payload(SUBJECT.digest), "garbage!")
    huge = Layer(body=b" " * (MOST_BYTES + 1))
    signed = signing.artifact(bad, garbage, huge, SIGNED)
    await push(registry, name, signed, tag=cosign.tag_of(SUBJECT.digest))

    found = await search(registry, name)

    assert (len(found.signatures), len(found.refusals), found.errors) == (2, 2, [])
    assert verified(found, name) == [KEY.fingerprint]


@pytest.mark.parametrize("listed_as", [cosign.BUNDLE, media_types.OCI_EMPTY])
async def test_the_fallback_tag_of_referrers(
    server: RegistryServer, registry: Registry, listed_as: str
) -> None:
    """At a registry that knows no referrers, bundles are found through the index in their place.

    It is the signer that writes it, and cosign up to 3.0.6 lists a bundle by its config's type.
    """
    name = f"{server.authority}/fallback/p-{listed_as.rpartition('.')[2].partition('+')[0]}"
    await repository(registry, name, push=True).upload(described(b"{}"), Bytes(body=b"{}"))
    await repository(registry, f"{name}:1", push=True).put_manifest(MANIFEST, SUBJECT.media_type)
    bundled = signing.artifact(signing.bundle(KEY, SUBJECT.digest), subject=SUBJECT)
    await push(registry, name, bundled)
    fallback = repository(registry, f"{name}:sha256-{SUBJECT.digest.hex}", push=True)
    listed = replace(bundled, artifact_type=listed_as)
    await fallback.put_manifest(signing.index_of(listed), media_types.OCI_INDEX)

    found = await search(registry, name)

    assert (found.refusals, found.errors) == ([], [])
    assert verified(found, name) == [KEY.fingerprint]


async def test_nothing_is_found_where_nothing_is(
    server: RegistryServer, registry: Registry
) -> None:
    """A plugin that nobody signed has no signature, and that is no error."""
    found = await search(registry, f"{server.authority}/nothing/p")

    assert found == Found()


@pytest.fixture
async def modern() -> AsyncIterator[FaultyRegistry]:
    async with FaultyRegistry() as modern:
        yield modern


def serve(modern: FaultyRegistry, *artifacts: Artifact) -> None:
    """Have a registry answer with what refers to the manifest."""
    oci = {"Content_Type": media_types.OCI_INDEX}
    index = signing.index_of(*artifacts)
    modern.on("GET", f"/v2/a/p/referrers/{SUBJECT.digest}", does.answer(200, index, **oci))
    for artifact in artifacts:
        path = f"/v2/a/p/manifests/{artifact.descriptor.digest}"
        answer = does.answer(200, artifact.manifest, Content_Type=media_types.OCI_MANIFEST)
        modern.on("GET", path, answer)
        for blob in artifact.blobs:
            modern.on("GET", _blob(described(blob).digest), does.blob(blob))


def _blob(digest: Digest) -> str:
    return f"/v2/a/p/blobs/{digest}"


async def test_referrers(modern: FaultyRegistry, registry: Registry) -> None:
    """A registry that knows referrers is asked once, and both forms are found."""
    serve(
        modern,
        signing.artifact(SIGNED, subject=SUBJECT),
        signing.artifact(signing.bundle(KEY, SUBJECT.digest), subject=SUBJECT),
    )
    name = f"{modern.authority}/a/p"

    found = await search(registry, name)

    assert (found.refusals, found.errors) == ([], [])
    assert verified(found, name) == [KEY.fingerprint] * 2
    assert len(modern.to("GET", f"/v2/a/p/referrers/{SUBJECT.digest}")) == 1


async def test_a_payload_that_was_changed_on_its_way(
    modern: FaultyRegistry, registry: Registry
) -> None:
    """A payload that has not the digest its manifest names is refused before it is read."""
    serve(modern, signing.artifact(SIGNED, subject=SUBJECT))
    changed = SIGNED.body.replace(b"null", b"true")
    modern.on("GET", _blob(SIGNED.descriptor.digest), does.blob(changed))

    found = await search(registry, f"{modern.authority}/a/p")

    assert found.signatures == []
    assert "unexpected commit digest" in found.refusals[0].why


def serve_tagged(modern: FaultyRegistry, signed: Artifact) -> None:
    """Have a registry answer with what lies under cosign's tag."""
    serve(modern, signed)
    answer = does.answer(
        200,
        signed.manifest,
        Content_Type=media_types.OCI_MANIFEST,
        Docker_Content_Digest=signed.descriptor.digest,
    )
    modern.on("HEAD", f"/v2/a/p/manifests/{cosign.tag_of(SUBJECT.digest)}", answer)


async def test_a_registry_that_answers_with_nonsense(
    modern: FaultyRegistry, registry: Registry
) -> None:
    """A registry that fails at referrers is told of, and hides nothing that lies under the tag."""
    serve_tagged(modern, signing.artifact(SIGNED))
    modern.on("GET", f"/v2/a/p/referrers/{SUBJECT.digest}", does.answer(405))
    name = f"{modern.authority}/a/p"

    found = await search(registry, name)

    assert verified(found, name) == [KEY.fingerprint]
    assert "405" in found.errors[0].message


async def test_a_mirror_without_signatures_is_passed_over(modern: FaultyRegistry) -> None:
    """A mirror that keeps no signatures does not hide those that the next one has."""
    bundled = signing.artifact(signing.bundle(KEY, SUBJECT.digest), subject=SUBJECT)
    serve_tagged(modern, signing.artifact(SIGNED))
    serve(modern, bundled)
    async with FaultyRegistry() as empty:
        serve(empty)
        mirrored = new_registry(hosts=Hosts(mirrors=(empty.url, modern.url), certificates=NOWHERE))

        found = await search(mirrored, "docker.io/a/p")

        await mirrored.aclose()
    assert found.errors == []
    assert verified(found, "docker.io/a/p") == [KEY.fingerprint] * 2
