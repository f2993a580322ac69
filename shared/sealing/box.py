"""Sealed boxes: HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256, ChaCha20-Poly1305."""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from shared import errdefs
from shared.contracts.sealed import Sealed

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
    """Opens what was sealed to a private key, or to one that it has taken the place of."""

    def __init__(self, *private_keys: bytes) -> None:
        """Take the keys, the present one first."""
        self.use(*private_keys)

    def use(self, *private_keys: bytes) -> None:
        """Take other keys from now on."""
        self._keys = tuple(map(_private, private_keys))

    def open(self, sealed: Sealed, subject: str) -> bytes:
        """Return what was sealed for *subject*.

        Raises InvalidArgument, saying nothing of the content, where the box was sealed to another
        key, for another subject, or was changed on its way.
        """
        try:
            box = base64.b64decode(sealed.box, validate=True)
        except (ValueError, binascii.Error) as error:
            raise _does_not_open(subject) from error
        for key in self._keys:
            with contextlib.suppress(InvalidTag, ValueError):
                return _SUITE.decrypt(box, key, info=_bound_to(subject))
        raise _does_not_open(subject)


def _does_not_open(subject: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(
        f"what was sealed does not open for {subject!r}: it was sealed to another node's key, for "
        "another request, or was changed on the way; send the request again"
    )


def _private(key: bytes) -> X25519PrivateKey:
    try:
        return X25519PrivateKey.from_private_bytes(key)
    except ValueError as error:
        raise errdefs.InvalidArgument(
            f"an X25519 private key has {_KEY_LENGTH} bytes, this one {len(key)}"
        ) from error


def _bound_to(subject: str) -> bytes:
    return _DOMAIN + subject.encode()
