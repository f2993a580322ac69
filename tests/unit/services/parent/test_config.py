"""The parent's settings."""

from __future__ import annotations

from services.parent.config import ParentConfig
from shared.node.config import NodeConfig


def _config(**env: str) -> ParentConfig:
    return ParentConfig(node=NodeConfig.from_env({"WHERRY_NODE": "n", **env}))


def test_order_of_services() -> None:
    """Who is spoken to starts before who speaks, and so ends after it."""
    names = [service.name for service in _config().services]

    assert names == ["event", "executor", "store", "pull", "gateway"]
    assert _config().services[-1].module == "services.gateway.__main__"
