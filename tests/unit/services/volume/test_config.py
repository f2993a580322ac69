"""The volume service's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.volume.config import VolumeConfig
from shared import errdefs
from shared.node.config import NodeConfig

NODE = NodeConfig.from_env({"WHERRY_NODE": "n", "WHERRY_ROOT": "/r"})


def test_defaults_are_dockers() -> None:
    """Two minutes to create, one for other calls; the list waits less."""
    config = VolumeConfig.load(NODE, {})
    assert (config.create_timeout_s, config.call_timeout_s, config.list_timeout_s) == (120, 60, 5)
    assert (config.database, config.folder) == (Path("/r/volume/volume.db"), Path("/r/volumes"))


@pytest.mark.parametrize("text", ["0", "-1", "soon", "86400"])
def test_times_that_are_none(text: str) -> None:
    """The variable is named."""
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_VOLUME_CALL_TIMEOUT_S"):
        VolumeConfig.load(NODE, {"WHERRY_VOLUME_CALL_TIMEOUT_S": text})
