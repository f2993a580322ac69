"""Keys of all kinds that cosign signs with, and those that are not taken."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.pull.domain.public_key import PublicKey
from shared import errdefs
from tests.support import signing
from tests.support.signing import SigningKey


def keys() -> list[SigningKey]:
    """Return a key of each kind, and with each hash it may sign with."""
    return [
        signing.ecdsa_key(),
        signing.ecdsa_key(ec.SECP384R1(), hashes.SHA256()),
        signing.ecdsa_key(ec.SECP384R1(), hashes.SHA384()),
        signing.ecdsa_key(ec.SECP521R1(), hashes.SHA512()),
        signing.rsa_key(),
        signing.rsa_key(is_pss=True),
        signing.ed25519_key(),
        signing.ed25519_key(is_prehashed=True),
    ]


@pytest.mark.parametrize("key", keys(), ids=lambda key: type(key.private).__name__)
def test_a_signature_holds_for_its_key_and_its_bytes_alone(key: SigningKey) -> None:
    """One bit elsewhere, another key or no signature at all, and it holds no more."""
    signature = key.sign(b"payload")
    flipped = bytes([signature[0] ^ 1]) + signature[1:]

    assert key.public.verifies(signature, b"payload")
    assert not key.public.verifies(signature, b"payloae")
    assert not key.public.verifies(flipped, b"payload")
    assert not key.public.verifies(b"", b"payload")
    assert not signing.ecdsa_key().public.verifies(signature, b"payload")


def test_the_standards_own_example_of_ed25519ph_holds() -> None:
    """RFC 8032, section 7.3."""
    raw = bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf")
    signature = bytes.fromhex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    pem = Ed25519PublicKey.from_public_bytes(raw).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    assert PublicKey.from_pem(pem, name="k").verifies(signature, b"abc")


def test_a_key_is_known_by_the_digest_of_its_der() -> None:
    """The fingerprint is what openssl and sha256sum make of the key's file."""
    key = signing.ecdsa_key()

    public = key.public

    assert public.fingerprint == key.fingerprint
    assert public.short == key.fingerprint[:12]


def test_keys_that_are_too_weak_or_strange_are_refused() -> None:
    """A short RSA key and a curve that cosign has no use for are no keys of a policy."""
    for key in (signing.rsa_key(bits=1024), signing.ecdsa_key(ec.SECP256K1())):
        with pytest.raises(errdefs.InvalidArgument, match="of a kind that is not taken"):
            PublicKey.from_pem(key.pem, name="k")


def test_what_is_no_public_key_is_refused_and_never_quoted() -> None:
    """A private key that was put there by mistake does not show up in the error."""
    private = signing.ecdsa_key().private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for pem in (private, b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(errdefs.InvalidArgument) as refused:
            PublicKey.from_pem(pem, name="k")

        assert refused.value.message == (
            "no public key that can be read: give a public key in PEM, such as cosign.pub"
        )
        assert refused.value.__cause__ is None
