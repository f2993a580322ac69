"""The parent's settings."""

from __future__ import annotations

import pytest

from services.parent.config import ParentConfig
from shared import errdefs
from shared.node.config import NodeConfig


def _config(**env: str) -> ParentConfig:
    return ParentConfig(node=NodeConfig.from_env({"WHERRY_NODE": "n", **env}))


def test_order_of_services() -> None:
    """Who is spoken to starts before who speaks, and so ends after it."""
    names = [service.name for service in _config().services]

    assert names == ["event", "executor", "store", "gateway"]
    assert _config().services[-1].module == "services.gateway.__main__"


def test_longest_sockets_fit() -> None:
    """Paths of 107 bytes are fine."""
    _config(WHERRY_EXEC_ROOT=f"/{'x' * 95}", WHERRY_SOCKET=f"/{'s' * 106}").check()


def test_too_long_redis_socket() -> None:
    """A private Redis whose socket has no room is refused by the variable to change."""
    with pytest.raises(errdefs.InvalidArgument, match=r"^WHERRY_EXEC_ROOT: .* 108 bytes"):
        _config(WHERRY_EXEC_ROOT=f"/{'x' * 96}", WHERRY_SOCKET="/s").check()


def test_too_long_socket() -> None:
    """The API's socket, too, is refused by its variable when it has no room."""
    with pytest.raises(errdefs.InvalidArgument, match=r"^WHERRY_SOCKET: .* 108 bytes"):
        _config(WHERRY_SOCKET=f"/{'s' * 107}").check()


def test_no_private_redis_no_socket() -> None:
    """With a Redis given, its private socket does not limit the exec root."""
    root = f"/{'x' * 100}"
    _config(WHERRY_EXEC_ROOT=root, WHERRY_SOCKET="/s", WHERRY_REDIS_URL="redis://r").check()
