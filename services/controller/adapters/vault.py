"""ports.Vault: with the key pair of the node, which its pull service has, too."""

from __future__ import annotations

import base64
from pathlib import Path

from shared import errdefs
from shared.contracts.job import Sealed
from shared.sealing import Opener, load_or_make_key, seal


class NodeVault:
    """Opens what was sealed to this node, and seals to others."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, sealed: Sealed, subject: str) -> bytes:
        """Open what was sealed to this node; raises InvalidArgument for anything else."""
        # Read each time: the node may have been given another key.
        return Opener(load_or_make_key(self._root)).open(sealed, subject)

    def seal(self, key: str, secret: bytes, subject: str) -> Sealed:
        """Seal for whoever has the other half of *key*, base64 as nodes say it.

        Raises InvalidArgument for what is no key.
        """
        try:
            public_key = base64.b64decode(key)
        except ValueError as error:
            raise errdefs.InvalidArgument("the key to seal for is not base64") from error
        return seal(public_key, secret, subject)
