"""Signatures as cosign writes them, made here with keys of the test's own."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from nacl import bindings as sodium

from services.pull.domain import cosign
from services.pull.domain.public_key import PublicKey
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

REFERENCE: Final = "registry.test/a/p"
_SIGNATURE: Final = "dev.cosignproject.cosign/signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key; what its signatures need beyond the data is in *scheme*."""

    private: Private
    scheme: tuple[Any, ...] = ()
    #: as cosign signs by Ed25519 keys
    is_prehashed: bool = False
    name: str = "release.pub"

    def sign(self, data: bytes) -> bytes:
        """Sign *data*."""
        if self.is_prehashed:
            return _sign_prehashed(self.private, data)
        return self.private.sign(data, *self.scheme)

    @property
    def pem(self) -> bytes:
        """Return the public key, as in cosign.pub."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the public key's DER."""
        der = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).hexdigest()

    @property
    def public(self) -> PublicKey:
        """Return it as a policy has it."""
        return PublicKey.from_pem(self.pem, name=self.name)


def ecdsa_key(
    curve: ec.EllipticCurve | None = None, algorithm: hashes.HashAlgorithm | None = None
) -> SigningKey:
    """Make a key as `cosign generate-key-pair` does, or on another curve."""
    private = ec.generate_private_key(curve or ec.SECP256R1())
    return SigningKey(private=private, scheme=(ec.ECDSA(algorithm or hashes.SHA256()),))


def ed25519_key(*, is_prehashed: bool = False) -> SigningKey:
    """Make an Ed25519 key, that signs with Ed25519ph where it is to hash first."""
    return SigningKey(private=ed25519.Ed25519PrivateKey.generate(), is_prehashed=is_prehashed)


def _sign_prehashed(private: Private, data: bytes) -> bytes:
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    state = sodium.crypto_sign_ed25519ph_state()
    sodium.crypto_sign_ed25519ph_update(state, data)
    secret = private.private_bytes_raw() + private.public_key().public_bytes_raw()
    return sodium.crypto_sign_ed25519ph_final_create(state, secret)


def rsa_key(*, is_pss: bool = False, bits: int = 2048) -> SigningKey:
    """Make an RSA key that signs with PKCS #1 v1.5, or with PSS."""
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
    scheme = (pss if is_pss else padding.PKCS1v15(), hashes.SHA256())
    return SigningKey(private=_rsa(bits), scheme=scheme)


@cache  # one takes a good part of a second
def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def payload(
    digest: str, *, reference: str = REFERENCE, kind: str = "cosign container image signature"
) -> bytes:
    """Return the simple signing payload that `cosign sign` signs."""
    critical = {
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of a signature's manifest."""

    body: bytes
    media_type: str = cosign.SIMPLE_SIGNING
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def descriptor(self) -> Descriptor:
        """Return the descriptor."""
        return Descriptor(
            media_type=self.media_type,
            digest=digest_of(self.body),
            size=len(self.body),
            annotations=self.annotations,
        )


def simple(key: SigningKey, body: bytes, *, shown: bytes | None = None) -> Layer:
    """Sign a payload; *shown* lies in the registry in its place."""
    return raw(body if shown is None else shown, base64.b64encode(key.sign(body)).decode())


def raw(body: bytes, signature: str) -> Layer:
    """Return a layer with whatever was put where the signature belongs."""
    return Layer(body=body, annotations={_SIGNATURE: signature})


def bundle(
    key: SigningKey,
    digest: Digest,
    *,
    predicate: str = cosign.PREDICATE,
    shown: Digest | None = None,
    payload_type: str = "application/vnd.in-toto+json",
) -> Layer:
    """Return the bundle that cosign 3 writes; *shown* takes the place of what was signed."""
    statement = _statement(digest, predicate)
    signed = b"DSSEv1 %d %b %d %b" % (
        len(payload_type),
        payload_type.encode(),
        len(statement),
        statement,
    )
    envelope = {
        "payload": base64.b64encode(_statement(shown or digest, predicate)).decode(),
        "payloadType": payload_type,
        "signatures": [{"sig": base64.b64encode(key.sign(signed)).decode()}],
    }
    hint = base64.b64encode(bytes.fromhex(key.fingerprint)).decode()
    body = {
        "mediaType": cosign.BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": envelope,
    }
    return Layer(body=json.dumps(body).encode(), media_type=cosign.BUNDLE)


def _statement(digest: Digest, predicate: str) -> bytes:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.hex}, "annotations": {}}],
        "predicateType": predicate,
        "predicate": {},
    }
    return json.dumps(statement).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A manifest that holds signatures, and its blobs."""

    manifest: bytes
    blobs: tuple[bytes, ...]
    artifact_type: str

    @property
    def descriptor(self) -> Descriptor:
        """Return the manifest's descriptor, as a list of referrers has it."""
        return Descriptor(
            media_type=media_types.OCI_MANIFEST,
            digest=digest_of(self.manifest),
            size=len(self.manifest),
            artifact_type=self.artifact_type or None,
        )


def artifact(*layers: Layer, subject: Descriptor | None = None) -> Artifact:
    """Return the manifest that goes under cosign's tag; with *subject*, one that refers to it."""
    config = b"{}"
    is_bundle = any(layer.media_type == cosign.BUNDLE for layer in layers)
    artifact_type = cosign.BUNDLE if is_bundle else cosign.SIGNATURE_ARTIFACT if subject else ""
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": {
            "mediaType": media_types.OCI_EMPTY if is_bundle else media_types.OCI_IMAGE_CONFIG,
            "digest": digest_of(config),
            "size": len(config),
        },
        "layers": [_dumped(layer.descriptor) for layer in layers],
    }
    if subject is not None:
        manifest |= {"artifactType": artifact_type, "subject": _dumped(subject)}
    return Artifact(
        manifest=json.dumps(manifest).encode(),
        blobs=(config, *(layer.body for layer in layers)),
        artifact_type=artifact_type,
    )


def index_of(*artifacts: Artifact) -> bytes:
    """Return the list of referrers that these are."""
    manifests = [_dumped(one.descriptor) for one in artifacts]
    return json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests}
    ).encode()


def _dumped(descriptor: Descriptor) -> dict[str, Any]:
    return descriptor.model_dump(mode="json", exclude_none=True)
