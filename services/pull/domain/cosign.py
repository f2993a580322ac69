"""cosign's two ways to write a signature down: simple signing, and Sigstore's bundles.

After sigstore/cosign's SIGNATURE_SPEC.md and BUNDLE_SPEC.md. Nothing that is read here is
believed before the signature over ``signed`` was verified.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from shared import errdefs
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest

SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
#: Of a manifest, like the one under the tag, that refers to what is signed.
SIGNATURE_ARTIFACT: Final = "application/vnd.dev.cosign.artifact.sig.v1+json"
#: Both of a manifest that refers to what is signed, and of its one layer.
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE: Final = "https://sigstore.dev/cosign/sign/v1"
#: Up to 3.0.6 cosign names a bundle by its empty config where it keeps the list of referrers
#: itself: at registries that keep none.
_BUNDLES: Final = frozenset({BUNDLE, media_types.OCI_EMPTY})
_SIGNATURE: Final = "dev.cosignproject.cosign/signature"
_PREDICATE_ANNOTATION: Final = "dev.sigstore.bundle.predicateType"

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a signature says: this was signed, under that reference if it names one."""

    digests: frozenset[str]
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleSignature:
    """A signature over the exact bytes of a payload."""

    value: bytes
    payload: bytes

    @property
    def signed(self) -> bytes:
        """Return the bytes that were signed."""
        return self.payload

    def claim(self) -> Claim:
        """Read the payload; raises InvalidArgument."""
        critical = _parsed(_Payload, self.payload).critical
        return Claim(
            digests=frozenset({critical.image.digest}), reference=critical.identity.reference
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledSignature:
    """A signature over an in-toto statement in a DSSE envelope."""

    value: bytes
    payload_type: str
    payload: bytes

    @property
    def signed(self) -> bytes:
        """Return the bytes that were signed: DSSE's pre-authentication encoding."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    def claim(self) -> Claim:
        """Read the statement; raises InvalidArgument."""
        subjects = _parsed(_Statement, self.payload).subject
        digests = (f"sha256:{subject.digest.get('sha256', '')}" for subject in subjects)
        return Claim(digests=frozenset(digests))


Signature = SimpleSignature | BundledSignature


def tag_of(digest: Digest) -> str:
    """Return the tag under which signatures of *digest* are kept."""
    return f"{digest.replace(':', '-')}.sig"


def may_hold_signature(referrer: Descriptor) -> bool:
    """Say whether what refers to a manifest is worth fetching; attestations are not."""
    predicate = referrer.annotations.get(_PREDICATE_ANNOTATION, PREDICATE)
    is_bundle = referrer.artifact_type in _BUNDLES and predicate == PREDICATE
    return is_bundle or referrer.artifact_type == SIGNATURE_ARTIFACT


def read(layer: Descriptor, body: bytes) -> Signature:
    """Return the signature in a layer of a signature's manifest; raises InvalidArgument."""
    if layer.media_type == BUNDLE:
        return _bundled(body)
    value = layer.annotations.get(_SIGNATURE)
    if value is None:
        raise errdefs.InvalidArgument(f"its layer has no annotation {_SIGNATURE}")
    return SimpleSignature(value=_decoded(value), payload=body)


def _bundled(body: bytes) -> BundledSignature:
    envelope = _parsed(_Bundle, body).envelope
    return BundledSignature(
        value=_decoded(envelope.signatures[0].sig),
        payload_type=envelope.payload_type,
        payload=_decoded(envelope.payload),
    )


class _Image(BaseModel):
    digest: Digest = Field(alias="docker-manifest-digest")


class _Identity(BaseModel):
    reference: str = Field(default="", alias="docker-reference")


class _Critical(BaseModel):
    identity: _Identity
    image: _Image
    type: Literal["cosign container image signature"]


class _Payload(BaseModel):
    critical: _Critical


class _EnvelopeSignature(BaseModel):
    sig: str


class _Envelope(BaseModel):
    payload: str
    payload_type: Literal["application/vnd.in-toto+json"] = Field(alias="payloadType")
    #: Sigstore's bundles have exactly one.
    signatures: tuple[_EnvelopeSignature]


class _Bundle(BaseModel):
    #: A bundle may hold a bare signature instead, which `cosign sign` never writes.
    envelope: _Envelope = Field(alias="dsseEnvelope")


class _Subject(BaseModel):
    digest: dict[str, str]


class _Statement(BaseModel):
    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    predicate: Literal["https://sigstore.dev/cosign/sign/v1"] = Field(alias="predicateType")
    subject: tuple[_Subject, ...]


def _parsed(model: type[_M], body: bytes) -> _M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise errdefs.InvalidArgument(
            f"{where}: {fault['msg']}" if where else fault["msg"]
        ) from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errdefs.InvalidArgument("it is not base64") from error
