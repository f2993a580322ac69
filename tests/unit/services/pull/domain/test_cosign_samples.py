"""Signatures laid out byte for byte as cosign 1, 2 and 3 lay them out, by keys of each kind.

They stand in a file, so that no change here alters what is signed along with what reads it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from services.pull.domain import cosign, verification
from services.pull.domain.public_key import PublicKey
from services.pull.domain.trust_policy import TrustMode, TrustRule
from services.pull.domain.verification import Fault, Refusal
from shared import errdefs
from shared.oci import manifest as oci_manifest
from shared.oci import media_types, reference
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of
from shared.oci.manifest import Manifest

_FILE = json.loads(Path(__file__).with_name("cosign_samples.json").read_bytes())
_SUBJECT = Digest(_FILE["subject"])
Sample = dict[str, Any]


def _named(samples: list[Sample]) -> list[Any]:
    return [pytest.param(one, id=one["name"]) for one in samples]


_SAMPLES = _named(_FILE["samples"])
_REFERRERS = _named([one for one in _FILE["samples"] if "artifactType" in one["manifest"]])


def judged(sample: Sample, body: bytes) -> PublicKey | Refusal:
    """Judge the signature that a sample's manifest and *body* hold."""
    manifest = oci_manifest.parse(sample["manifest"].encode(), media_types.OCI_MANIFEST)
    assert isinstance(manifest, Manifest)
    [layer] = manifest.layers
    key = PublicKey.from_pem(sample["public_key"].encode(), name="cosign.pub")
    is_named = layer.media_type == cosign.SIMPLE_SIGNING  # a bundle names no repository
    rule = TrustRule(prefix="", mode=TrustMode.REQUIRE, keys=(key,), match_reference=is_named)
    ref = reference.parse(_FILE["reference"])
    return verification.judge(cosign.read(layer, body), rule=rule, ref=ref, digest=_SUBJECT)


@pytest.mark.parametrize("sample", _SAMPLES)
def test_each_of_them_is_valid(sample: Sample) -> None:
    """The signature is found in its manifest and layer, and holds for the plugin's digest."""
    body = sample["layer"].encode()
    [named] = json.loads(sample["manifest"])["layers"]

    assert digest_of(body) == named["digest"]
    assert isinstance(judged(sample, body), PublicKey)


@pytest.mark.parametrize("sample", _SAMPLES)
def test_none_holds_for_other_bytes(sample: Sample) -> None:
    """A payload in which one digit of the digest is another is by nobody's key."""
    wrong = Digest(_SUBJECT[:-1] + ("0" if _SUBJECT[-1] != "0" else "1"))
    body = sample["layer"]
    if "dsseEnvelope" in body:
        bundle = json.loads(body)
        statement = base64.b64decode(bundle["dsseEnvelope"]["payload"]).decode()
        changed = statement.replace(_SUBJECT.hex, wrong.hex).encode()
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(changed).decode()
        body = json.dumps(bundle)

    verdict = judged(sample, body.replace(_SUBJECT, wrong).encode())

    assert isinstance(verdict, Refusal)
    assert verdict.fault is Fault.UNKNOWN_KEY


@pytest.mark.parametrize("sample", _REFERRERS)
@pytest.mark.parametrize("lists_config", [False, True])
def test_a_list_of_referrers_leads_to_it(sample: Sample, *, lists_config: bool) -> None:
    """By its type and annotations, as registries list it, or by its config's type alone.

    That is what cosign up to 3.0.6 wrote into the list, where a registry keeps none.
    """
    manifest = json.loads(sample["manifest"])
    listed = {
        "mediaType": manifest["mediaType"],
        "digest": digest_of(sample["manifest"].encode()),
        "size": len(sample["manifest"]),
    }
    if lists_config:
        listed |= {"artifactType": manifest["config"]["mediaType"]}
    else:
        listed |= {
            "artifactType": manifest["artifactType"],
            "annotations": manifest.get("annotations", {}),
        }

    assert cosign.may_hold_signature(Descriptor.model_validate(listed))


def test_an_attestation_is_not_fetched() -> None:
    """A bundle that is listed with another predicate is none of a signature."""
    listed = Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=_SUBJECT,
        size=1,
        artifact_type=cosign.BUNDLE,
        annotations={"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"},
    )

    assert not cosign.may_hold_signature(listed)


def test_a_bare_signature_in_a_bundle_is_told() -> None:
    """`cosign sign` writes a statement, always; the other form that bundles have is refused."""
    body = b'{"mediaType":"%b","messageSignature":{"signature":"AA=="}}' % cosign.BUNDLE.encode()
    layer = Descriptor(media_type=cosign.BUNDLE, digest=digest_of(body), size=len(body))

    with pytest.raises(errdefs.InvalidArgument, match="dsseEnvelope"):
        cosign.read(layer, body)
