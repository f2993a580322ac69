"""ports.Vault: boxes sealed to the key that the node's pull service keeps in the data root."""

from __future__ import annotations

import base64
import functools
from pathlib import Path

from shared.contracts.job import Sealed
from shared.sealing import SECRETS, Opener, new_key, public_bytes, read_public_key, seal


class NodeVault:
    """Has a key of its own for answers, which dies with the process."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @functools.cached_property
    def answer_key(self) -> str:
        """Return the public key to seal answers to, in base64."""
        return base64.b64encode(public_bytes(self._key)).decode()

    @functools.cached_property
    def _key(self) -> bytes:
        # Made for the first answer: OpenSSL, which makes it, takes a while to be imported.
        return new_key()

    def seal(self, secret: bytes, subject: str) -> Sealed:
        """Seal for the pull service and one purpose; raises Unavailable without its key."""
        # Read each time: the pull service may have been given another.
        return seal(read_public_key(self._root), secret, subject)

    def seal_to(self, key: str, secret: bytes, subject: str) -> Sealed:
        """Seal to another node's public key; raises InvalidArgument for what is none."""
        return seal(base64.b64decode(key), secret, subject)

    def seal_secret(self, secret: bytes, subject: str) -> Sealed:
        """Seal for the executor and one purpose; raises Unavailable without its key."""
        return seal(read_public_key(self._root, SECRETS), secret, subject)

    def open(self, sealed: Sealed, subject: str) -> bytes:
        """Open an answer; raises InvalidArgument when it is not for us or that purpose."""
        return Opener(self._key).open(sealed, subject)
