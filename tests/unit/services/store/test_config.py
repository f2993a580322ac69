"""The store's settings."""

from __future__ import annotations

import pytest

from services.store.config import StoreConfig
from shared import errdefs
from shared.contracts.executor import Seccomp
from shared.node.config import NodeConfig

_NODE = NodeConfig.from_env({"WHERRY_NODE": "n"})


def test_defaults() -> None:
    """With no variable set, plugins get half a minute, and the default seccomp profile."""
    config = StoreConfig.load(_NODE, {"WHERRY_PLUGIN_SECCOMP": ""})

    assert (config.ready_timeout_s, config.stop_grace_s) == (30.0, 10.0)
    assert config.seccomp is Seccomp.DEFAULT


def test_plugins_may_be_unconfined() -> None:
    """One word takes the profile away from all plugins of the node."""
    config = StoreConfig.load(_NODE, {"WHERRY_PLUGIN_SECCOMP": "unconfined"})

    assert config.seccomp is Seccomp.UNCONFINED


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("WHERRY_PLUGIN_SECCOMP", "/etc/profile.json"),
        ("WHERRY_STOP_GRACE_S", "0"),
        ("WHERRY_READY_TIMEOUT_S", "soon"),
        ("WHERRY_SHUTDOWN_TIMEOUT_S", "241"),
        ("WHERRY_REQUIRES_TIMEOUT_S", "-1"),
    ],
)
def test_a_wrong_value_is_named(variable: str, text: str) -> None:
    """What can't be meant stops the start with the variable's name."""
    with pytest.raises(errdefs.InvalidArgument, match=f"{variable}={text}: must be "):
        StoreConfig.load(_NODE, {variable: text})
