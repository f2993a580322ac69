"""Sealed boxes: HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256, ChaCha20-Poly1305."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from shared import errdefs
from shared.contracts.job import Sealed

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_KEY_LENGTH: Final = 32
#: Keeps a box of ours from being taken for one of another protocol with the same keys.
_DOMAIN: Final = b"wherry sealed v1\0"


def seal(public_key: bytes, plaintext: bytes, subject: str) -> Sealed:
    """Seal *plaintext* so that only the owner of *public_key* opens it, and only for *subject*.

    Raises InvalidArgument for what is no X25519 public key.
    """
    try:
        key = X25519PublicKey.from_public_bytes(public_key)
        box = _SUITE.encrypt(plaintext, key, info=_bound_to(subject))
    except ValueError as error:
        raise errdefs.InvalidArgument(
            f"the key to seal for is not an X25519 public key of {_KEY_LENGTH} bytes"
        ) from error
    return Sealed(box=base64.b64encode(box).decode())


def new_key() -> bytes:
    """Make a private key."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_bytes(private_key: bytes) -> bytes:
    """Return the public key of a private one; raises InvalidArgument for what is none."""
    return _private(private_key).public_key().public_bytes_raw()


class Opener:
    """Opens what was sealed to one private key."""

    def __init__(self, private_key: bytes) -> None:
        self._key = _private(private_key)

    def open(self, sealed: Sealed, subject: str) -> bytes:
        """Return what was sealed for *subject*.

        Raises InvalidArgument, saying nothing of the content, where the box was sealed to another
        key, for another subject, or was changed on its way.
        """
        try:
            box = base64.b64decode(sealed.box, validate=True)
            return _SUITE.decrypt(box, self._key, info=_bound_to(subject))
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise errdefs.InvalidArgument(
                f"the credentials do not open for {subject!r}: they were sealed to another node's "
                "key, for another request, or were changed on the way; send the request again"
            ) from error


def _private(key: bytes) -> X25519PrivateKey:
    try:
        return X25519PrivateKey.from_private_bytes(key)
    except ValueError as error:
        raise errdefs.InvalidArgument(
            f"an X25519 private key has {_KEY_LENGTH} bytes, this one {len(key)}"
        ) from error


def _bound_to(subject: str) -> bytes:
    return _DOMAIN + subject.encode()
