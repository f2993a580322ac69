from __future__ import annotations

import base64
from pathlib import Path

from services.gateway.adapters.vault import NodeVault
from shared.sealing import seal


def test_what_is_sealed_to_its_key_is_opened(tmp_path: Path) -> None:
    """A vault opens answers that were sealed to its key, which stays as long as it does."""
    vault = NodeVault(tmp_path)
    key = vault.answer_key

    sealed = seal(base64.b64decode(key), b"secret", "job")

    assert vault.open(sealed, "job") == b"secret"
    assert vault.answer_key == key
