"""A node's settings, read from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import errdefs
from shared.node.config import NodeConfig


def test_a_node_needs_no_settings() -> None:
    """Without variables a node lives in the system's folders, with a Redis of its own."""
    node = NodeConfig.from_env({})

    assert node.root == Path("/var/lib/wherry")
    assert node.socket == Path("/run/wherry/docker.sock")
    assert node.redis_url == "unix:///run/wherry/redis.sock"
    assert node.private_redis


def test_the_exec_root_moves_what_lies_in_it() -> None:
    """The sockets follow the exec root, unless they are named themselves."""
    node = NodeConfig.from_env({"WHERRY_EXEC_ROOT": "/run/two", "WHERRY_REDIS_URL": "redis://r"})

    assert node.socket == Path("/run/two/docker.sock")
    assert node.lock_path("store") == Path("/run/two/locks/store.lock")
    assert (node.redis_url, node.private_redis) == ("redis://r", False)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"WHERRY_ROOT": "var"}, "WHERRY_ROOT=var: must be an absolute path"),
        ({"WHERRY_NODE": "a/b"}, "WHERRY_NODE=a/b: "),
        ({"WHERRY_EXECUTOR": "Other"}, "WHERRY_EXECUTOR=Other: "),
        ({"WHERRY_EXEC_ROOT": "/" + "ä" * 30}, "WHERRY_EXEC_ROOT=.* has 61 bytes"),
        ({"WHERRY_SOCKET": "/" + "s" * 107}, "WHERRY_SOCKET=.* has 108 bytes"),
    ],
)
def test_a_bad_value_names_its_variable(env: dict[str, str], message: str) -> None:
    """What can't work is refused at the start, with the variable to change."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        NodeConfig.from_env(env)
