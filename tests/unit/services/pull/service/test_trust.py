"""Pulls under a trust policy: who is let in, who is refused and why, and what the record keeps."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.pull.domain import cosign
from services.pull.domain.trust_policy import TrustMode, TrustPolicy, TrustRule
from services.pull.service.signatures import MOST_BYTES, MOST_FETCHES
from shared import errdefs
from shared.contracts.plugin import Signer
from shared.oci.digest import digest_of
from tests.support import signing
from tests.support.plugin_image import image
from tests.support.pull import REMOTE, FakeRegistries, World
from tests.support.signing import Artifact, Layer

KEY = signing.ecdsa_key()
OTHER = signing.ecdsa_key()
IMAGE = image()
DIGEST = IMAGE.digest
ELSEWHERE = digest_of(b"another plugin")
SIGNED = signing.simple(KEY, signing.payload(DIGEST))
SIGNER = Signer(
    key=f"sha256:{KEY.fingerprint}", name="release.pub", digest=DIGEST, verified_at_ns=1
)


class Case:
    """A world with one plugin, whose signatures and policy the test sets."""

    def __init__(self, root: Path) -> None:
        self.registries = FakeRegistries(IMAGE)
        self.world = World(root=root, registries=self.registries)
        self.policy(TrustMode.REQUIRE)

    def policy(self, mode: TrustMode, *keys: signing.SigningKey, **more: Any) -> None:
        """Set the one rule of the policy."""
        public = tuple(key.public for key in keys or (KEY,))
        rule = TrustRule(prefix="registry.test/a", mode=mode, keys=public, **more)
        self.world.policies.policy = TrustPolicy(source="/trust.json", rules=(rule,))

    def tag(self, *layers: Layer) -> None:
        """Put signatures under cosign's tag."""
        artifact = signing.artifact(*layers)
        self._add(artifact)
        self.registries.tags[f"registry.test/a/p:{cosign.tag_of(DIGEST)}"] = artifact.descriptor

    def refer(self, *layers: Layer) -> None:
        """Add a manifest with signatures that refers to the plugin."""
        artifact = signing.artifact(*layers, subject=IMAGE.descriptor)
        self._add(artifact)
        others = self.registries.referrers.get(DIGEST, ())
        self.registries.referrers[DIGEST] = (*others, artifact.descriptor)

    async def signers(self) -> tuple[Signer, ...]:
        """Pull, and return who is in the record."""
        await self.world.pull()
        (committed,) = self.world.store.committed
        return committed.signers

    async def refused(self) -> str:
        """Return why a pull is refused, before anything of the plugin was fetched."""
        with pytest.raises(errdefs.PermissionDenied) as error:
            await self.world.pull()
        for layer in IMAGE.layers:
            assert not self.registries.asked[f"blob {digest_of(layer)}"]
        assert not self.registries.asked[f"blob {digest_of(IMAGE.config)}"]
        assert self.world.store.committed == []
        before = f"{REMOTE} ({DIGEST}) is refused by the trust policy for registry.test/a: "
        after = ": sign it with a key of the policy, as `cosign sign --key` does, or change "
        text, _, source = error.value.message.partition(after)
        assert text.startswith(before)
        assert source == "/trust.json"
        return text.removeprefix(before)

    def _add(self, artifact: Artifact) -> None:
        self.registries.blobs |= {
            digest_of(blob): blob for blob in (artifact.manifest, *artifact.blobs)
        }
        self.registries.types[artifact.descriptor.digest] = artifact.descriptor.media_type


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


async def test_a_signature_under_the_tag_is_found_and_told(case: Case) -> None:
    """A plugin that cosign signed is pulled, and its record says by which key."""
    case.tag(SIGNED)

    assert await case.signers() == (SIGNER,)
    assert ("", f"Verified signature by key {KEY.fingerprint[:12]}") in case.world.writer.said


@pytest.mark.parametrize("layer", [SIGNED, signing.bundle(KEY, DIGEST)])
async def test_a_signature_among_referrers_is_found(case: Case, layer: Layer) -> None:
    """Both forms of a signature count as well where they refer to the plugin."""
    case.refer(layer)

    assert await case.signers() == (SIGNER,)


@pytest.mark.parametrize(
    "key",
    [signing.rsa_key(), signing.rsa_key(is_pss=True), signing.ed25519_key()],
    ids=["pkcs1v15", "pss", "ed25519"],
)
async def test_other_kinds_of_keys_sign_too(case: Case, key: signing.SigningKey) -> None:
    """RSA, with either padding, and Ed25519 are as good as ECDSA."""
    case.policy(TrustMode.REQUIRE, key)
    case.tag(signing.simple(key, signing.payload(DIGEST)))

    (signer,) = await case.signers()

    assert signer.key == f"sha256:{key.fingerprint}"


async def test_one_good_signature_among_bad_ones_is_enough(case: Case) -> None:
    """Signatures that do not hold take nothing from one that does."""
    case.tag(
        signing.simple(OTHER, signing.payload(DIGEST)),
        signing.raw(signing.payload(DIGEST), "%%%"),
        Layer(body=signing.payload(DIGEST)),
        signing.simple(KEY, signing.payload(ELSEWHERE)),
        SIGNED,
    )

    assert await case.signers() == (SIGNER,)


async def test_all_who_signed_are_kept_once(case: Case) -> None:
    """Every key of the policy that signed is in the record, however often it did."""
    case.policy(TrustMode.REQUIRE, KEY, OTHER)
    case.tag(SIGNED, signing.simple(OTHER, signing.payload(DIGEST)))
    case.refer(signing.bundle(KEY, DIGEST))

    signers = await case.signers()

    assert [one.key for one in signers] == [f"sha256:{key.fingerprint}" for key in (KEY, OTHER)]


async def test_no_signature(case: Case) -> None:
    """A plugin that nobody signed is refused before anything of it is fetched."""
    assert await case.refused() == "it has no signature"


@pytest.mark.parametrize(
    "layer",
    [
        signing.simple(OTHER, signing.payload(DIGEST)),
        signing.simple(KEY, signing.payload(ELSEWHERE), shown=signing.payload(DIGEST)),
        signing.bundle(OTHER, DIGEST),
        signing.bundle(KEY, ELSEWHERE, shown=DIGEST),
    ],
    ids=["other key", "changed payload", "other key of a bundle", "changed statement"],
)
async def test_signature_that_does_not_hold(case: Case, layer: Layer) -> None:
    """A signature by a key that is not the policy's, or of other bytes, is none."""
    case.refer(layer)

    assert await case.refused() == (
        "a signature is by none of the policy's keys, or of content that was changed"
    )


@pytest.mark.parametrize(
    "layer",
    [signing.simple(KEY, signing.payload(ELSEWHERE)), signing.bundle(KEY, ELSEWHERE)],
    ids=["payload", "bundle"],
)
async def test_signature_of_another_digest(case: Case, layer: Layer) -> None:
    """A valid signature that was copied from another plugin is refused for what it is."""
    case.refer(layer)

    assert await case.refused() == (
        f"the signature by key {KEY.public.short} is of another digest, {ELSEWHERE}"
    )


@pytest.mark.parametrize(
    "layer",
    [
        signing.simple(KEY, signing.payload(DIGEST, kind="atomic container signature")),
        signing.simple(KEY, b"no payload"),
        signing.simple(KEY, b"[]"),
        signing.simple(KEY, signing.payload("sha256:ab")),
        signing.bundle(KEY, DIGEST, predicate="https://slsa.dev/provenance/v1"),
    ],
)
async def test_signature_of_something_else(case: Case, layer: Layer) -> None:
    """What the key signed must be a signature of a plugin, and not merely mention it."""
    case.refer(layer)

    assert "claims what is not understood" in await case.refused()


@pytest.mark.parametrize(
    "layer",
    [
        signing.raw(signing.payload(DIGEST), "%%%"),
        signing.raw(signing.payload(DIGEST), "é"),
        Layer(body=signing.payload(DIGEST)),
        Layer(body=b" " * (MOST_BYTES + 1)),
        Layer(body=b"garbage", media_type=cosign.BUNDLE),
        Layer(body=b'{"messageSignature": {}}', media_type=cosign.BUNDLE),
        Layer(
            body=b'{"dsseEnvelope": {"payload": "", "signatures": []}}', media_type=cosign.BUNDLE
        ),
        signing.bundle(KEY, DIGEST, payload_type="application/json"),
    ],
)
async def test_signature_that_can_not_be_read(case: Case, layer: Layer) -> None:
    """Garbage is refused as such, and huge payloads are not even fetched."""
    case.refer(layer)

    assert (await case.refused()).startswith("a signature can't be read: ")
    assert (
        len(layer.body) <= MOST_BYTES or not case.registries.asked[f"blob {digest_of(layer.body)}"]
    )


async def test_layers_of_other_kinds_are_no_signatures(case: Case) -> None:
    """Whatever else lies under the tag is left alone."""
    value = base64.b64encode(KEY.sign(signing.payload(DIGEST))).decode()
    case.tag(
        Layer(
            body=signing.payload(DIGEST),
            media_type="text/plain",
            annotations={"dev.cosignproject.cosign/signature": value},
        )
    )

    assert await case.refused() == "it has no signature"


async def test_payload_that_is_not_what_its_digest_says(case: Case) -> None:
    """A registry that sends other bytes than the manifest names gets no signature accepted."""
    case.tag(SIGNED)
    case.registries.blobs[digest_of(SIGNED.body)] = SIGNED.body.replace(b"null", b"true")

    assert (await case.refused()).startswith("a signature can't be read: unexpected commit digest")


async def test_an_index_is_no_manifest_of_signatures(case: Case) -> None:
    """An index under the tag is refused as such."""
    body = signing.index_of()
    descriptor = IMAGE.descriptor.model_copy(
        update={"digest": digest_of(body), "media_type": "application/vnd.oci.image.index.v1+json"}
    )
    case.registries.blobs[descriptor.digest] = body
    case.registries.tags[f"registry.test/a/p:{cosign.tag_of(DIGEST)}"] = descriptor

    assert (await case.refused()).endswith(f"{descriptor.digest} is an index")


async def test_no_end_of_signatures(case: Case) -> None:
    """Only so many signatures are looked at; that there are more is said."""
    for number in range(MOST_FETCHES):
        case.refer(signing.simple(OTHER, signing.payload(DIGEST, reference=f"x/{number}")))
    case.refer(SIGNED)

    assert f"only the first {MOST_FETCHES} manifests and signatures" in await case.refused()
    fetched = case.registries.asked["manifest"]
    blobs = sum(count for name, count in case.registries.asked.items() if name.startswith("blob "))
    assert fetched + blobs == MOST_FETCHES


async def test_attestations_are_not_fetched(case: Case) -> None:
    """Referrers that say they are something else take no turn from signatures."""
    for number in range(MOST_FETCHES):
        digest = digest_of(b"%d" % number)
        attestation = IMAGE.descriptor.model_copy(
            update={
                "digest": digest,
                "artifact_type": cosign.BUNDLE,
                "annotations": {"dev.sigstore.bundle.predicateType": "https://spdx.dev/Document"},
            }
        )
        sbom = attestation.model_copy(update={"artifact_type": "application/spdx+json"})
        case.registries.referrers[DIGEST] = (
            *case.registries.referrers.get(DIGEST, ()),
            attestation,
            sbom,
        )
    case.refer(signing.bundle(KEY, DIGEST))

    assert await case.signers() == (SIGNER,)


@pytest.mark.parametrize(
    ("reference", "is_matching"),
    [
        ("registry.test/a/p", True),
        ("registry.test/a/p:1", True),
        ("registry.test/a/p:2", False),
        ("registry.test/a/q", False),
        ("registry.test/a/p:1:2", False),
        ("", False),
    ],
)
async def test_the_signed_reference_counts_where_the_policy_says_so(
    case: Case, reference: str, *, is_matching: bool
) -> None:
    """Cosign's reference is compared on demand only: the repository, and a tag if it names one."""
    case.tag(signing.simple(KEY, signing.payload(DIGEST, reference=reference)))

    case.policy(TrustMode.REQUIRE, match_reference=True)
    if not is_matching:
        assert "and the policy wants it to match" in await case.refused()
        case.policy(TrustMode.REQUIRE)

    assert await case.signers() == (SIGNER,)


async def test_a_bundle_names_no_reference(case: Case) -> None:
    """Where the reference must match, a form of signature that has none is refused."""
    case.policy(TrustMode.REQUIRE, match_reference=True)
    case.refer(signing.bundle(KEY, DIGEST))

    assert "is for no reference, and the policy wants it to match" in await case.refused()


async def test_what_is_ignored_is_not_asked_for(case: Case) -> None:
    """Where signatures are ignored, or no rule covers a plugin, none is looked for."""
    case.tag(SIGNED)
    case.policy(TrustMode.IGNORE)

    assert await case.signers() == ()
    assert case.registries.asked["referrers"] == 0


async def test_a_warning_goes_to_the_progress(case: Case) -> None:
    """Where a policy warns, the plugin is pulled and whoever follows hears why it should not."""
    case.policy(TrustMode.WARN)

    assert await case.signers() == ()
    assert (
        "",
        f"Warning: {REMOTE} ({DIGEST}) has no valid signature: it has no signature",
    ) in case.world.writer.said


async def test_who_signed_is_kept_under_a_warning_too(case: Case) -> None:
    """A valid signature is recorded whether it was required or not."""
    case.policy(TrustMode.WARN)
    case.tag(SIGNED)

    assert await case.signers() == (SIGNER,)
    assert not any("Warning" in status for _, status in case.world.writer.said)


@contextmanager
def failing(case: Case, error: errdefs.Error) -> Iterator[None]:
    """Have every question about payloads fail."""

    async def fail(digest: object) -> None:
        if digest == digest_of(SIGNED.body):
            raise error

    case.registries.before_blob = fail
    yield
    case.registries.before_blob = None


async def test_a_registry_that_is_away_is_no_proof_of_anything(case: Case) -> None:
    """Required signatures that can't be fetched fail the pull with the registry's own error."""
    case.tag(SIGNED)

    with failing(case, errdefs.Unavailable("away")), pytest.raises(errdefs.Unavailable) as failed:
        await case.world.pull()

    assert failed.value.message == f"error looking for signatures of {REMOTE}: away"


async def test_a_registry_that_keeps_signatures_back(case: Case) -> None:
    """A place that may not be looked at is named in the refusal, or in the warning."""
    case.tag(SIGNED)

    with failing(case, errdefs.Unauthenticated("no entry")):
        assert await case.refused() == (
            "it has no signature; not all could be looked at (no entry)"
        )
        case.policy(TrustMode.WARN)
        assert await case.signers() == ()


async def test_one_place_that_fails_does_not_hide_the_other(case: Case) -> None:
    """A good signature among referrers counts though the tag can't be read."""
    case.tag(SIGNED)
    case.refer(signing.bundle(KEY, DIGEST))

    with failing(case, errdefs.Unavailable("away")):
        assert await case.signers() == (SIGNER,)


async def test_nothing_is_pulled_under_a_policy_that_can_not_be_read(case: Case) -> None:
    """A policy that was broken while the service ran fails pulls, and is named."""
    case.world.policies.error = errdefs.InvalidArgument("trust policy /trust.json: it is broken")

    with pytest.raises(errdefs.Unavailable, match=r"/trust\.json: it is broken"):
        await case.world.pull()

    assert case.world.store.committed == []
