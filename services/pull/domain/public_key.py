"""Public keys that signatures are checked with, of the kinds that cosign signs with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from shared import errdefs

Key = ec.EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey

_SHA256: Final = hashes.SHA256()
#: What a signature does not say. cosign hashes with SHA-256 whatever the curve, except where it
#: writes bundles: those take the hash that fits the curve.
_CURVES: Final[dict[str, tuple[hashes.HashAlgorithm, ...]]] = {
    "secp256r1": (_SHA256,),
    "secp384r1": (_SHA256, hashes.SHA384()),
    "secp521r1": (_SHA256, hashes.SHA512()),
}
_PADDINGS: Final = (
    padding.PKCS1v15(),
    padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=padding.PSS.AUTO),
)
_LEAST_RSA_BITS: Final = 2048
_NEXT: Final = "give a public key in PEM, such as cosign.pub"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key and what people call it."""

    name: str
    #: SHA-256 of the key's DER (SubjectPublicKeyInfo), in hex.
    fingerprint: str
    key: Key

    @classmethod
    def from_pem(cls, pem: bytes, *, name: str) -> Self:
        """Read a key; raises InvalidArgument, which quotes nothing: it may be a private one."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise errdefs.InvalidArgument(f"no public key that can be read: {_NEXT}") from None
        der = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(name=name, fingerprint=hashlib.sha256(der).hexdigest(), key=_usable(key))

    @property
    def short(self) -> str:
        """Return the first 12 hex digits of the fingerprint, as lines show them."""
        return self.fingerprint[:12]

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Say whether *signature* is one of *data* by this key."""
        if isinstance(self.key, Ed25519PublicKey) and _holds_prehashed(self.key, signature, data):
            return True
        verify = self.key.verify
        return any(_holds(verify, signature, data, *scheme) for scheme in _schemes(self.key))


def _usable(key: object) -> Key:
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    if isinstance(key, RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return key
    if isinstance(key, Ed25519PublicKey):
        return key
    raise errdefs.InvalidArgument(
        "the key is of a kind that is not taken: it must be ECDSA on P-256, P-384 or P-521, RSA of "
        f"at least {_LEAST_RSA_BITS} bits, or Ed25519"
    )


def _schemes(key: Key) -> list[tuple[Any, ...]]:
    """Return what *key*'s verify takes after signature and data, each way it may have signed."""
    if isinstance(key, Ed25519PublicKey):
        return [()]
    if isinstance(key, RSAPublicKey):
        return [(scheme, _SHA256) for scheme in _PADDINGS]
    return [(ec.ECDSA(algorithm),) for algorithm in _CURVES[key.curve.name]]


def _holds(verify: Callable[..., None], *arguments: object) -> bool:
    try:
        verify(*arguments)
    except InvalidSignature:
        return False
    return True


def _holds_prehashed(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    """Verify Ed25519ph (RFC 8032), with which cosign signs by such keys, and signed not always."""
    state = sodium.crypto_sign_ed25519ph_state()
    sodium.crypto_sign_ed25519ph_update(state, data)
    try:
        return sodium.crypto_sign_ed25519ph_final_verify(state, signature, key.public_bytes_raw())
    except CryptoError:
        return False
