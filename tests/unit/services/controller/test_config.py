"""The controller's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.controller.config import ControllerConfig
from services.controller.domain.role import Role
from shared import errdefs
from shared.node.config import NodeConfig

_NODE = {"WHERRY_NODE": "n", "WHERRY_ROOT": "/r"}


def test_defaults() -> None:
    """Nothing has to be said."""
    config = ControllerConfig.load(NodeConfig.from_env(_NODE), {})

    assert config.database == Path("/r/controller/controller.db")
    assert (config.lease_s, config.node_timeout_s) == (10.0, 15.0)
    assert config.role is Role.BOTH


def test_the_role_of_a_controller() -> None:
    """It is one of three words."""
    node = NodeConfig.from_env(_NODE)

    assert ControllerConfig.load(node, {"WHERRY_CONTROLLER_ROLE": "worker"}).role is Role.WORKER
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_CONTROLLER_ROLE=leader"):
        ControllerConfig.load(node, {"WHERRY_CONTROLLER_ROLE": "leader"})


def test_the_address_of_a_node() -> None:
    """It is an IP address, written as constraints compare it."""
    node = NodeConfig.from_env(_NODE)

    said = ControllerConfig.load(node, {"WHERRY_NODE_ADDRESS": "2001:DB8::0:1"})

    assert said.address == "2001:db8::1"
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_NODE_ADDRESS"):
        ControllerConfig.load(node, {"WHERRY_NODE_ADDRESS": "node-one"})


@pytest.mark.parametrize("said", ["0", "soon", "3600"])
def test_what_is_no_time_is_refused(said: str) -> None:
    """A wrong value stops the start and names its variable."""
    env = {"WHERRY_CONTROLLER_LEASE_S": said}

    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_CONTROLLER_LEASE_S"):
        ControllerConfig.load(NodeConfig.from_env(_NODE), env)
