from __future__ import annotations

from pathlib import Path

import pytest

from services.controller.adapters.vault import NodeVault
from shared import errdefs


@pytest.mark.parametrize("key", ["a", "c2hvcnQ="], ids=["no base64", "too short"])
def test_what_is_no_key_is_refused(tmp_path: Path, key: str) -> None:
    """Whatever a node says its key is, who seals to it is told that it is none."""
    with pytest.raises(errdefs.InvalidArgument, match="the key to seal for is not"):
        NodeVault(tmp_path).seal(key, b"secret", "job")
