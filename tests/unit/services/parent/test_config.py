"""The parent's settings."""

from __future__ import annotations

from services.parent.config import ParentConfig
from shared.node.config import NodeConfig


def _config(**env: str) -> ParentConfig:
    return ParentConfig.of(NodeConfig.from_env({"WHERRY_NODE": "n", **env}))


def test_order_of_services() -> None:
    """Who is spoken to starts before who speaks, and so ends after it."""
    names = [service.name for service in _config().services]

    assert names == ["event", "executor", "store", "volume", "pull", "controller", "gateway"]
    assert _config().services[-1].module == "services.gateway.__main__"


def test_another_executor_takes_the_place_of_ours() -> None:
    """Where the node names one, the parent does not start its own beside it."""
    names = [service.name for service in _config(WHERRY_EXECUTOR="gvisor").services]

    assert "store" in names
    assert "executor" not in names
