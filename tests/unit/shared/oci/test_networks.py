"""Networks that a plugin can have."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.oci import networks
from shared.oci.plugin_config import PluginConfig


@pytest.mark.parametrize("network", ["", "none", "null", "host"])
def test_networks_that_need_nothing_of_the_node_are_available(network: str) -> None:
    """The host's network and networks without interfaces exist everywhere."""
    networks.require_available(PluginConfig.from_go({"Network": {"Type": network}}), "p")


def test_a_bridge_is_refused_by_name() -> None:
    """A plugin that would get a bridge without interfaces is refused, saying what to do."""
    with pytest.raises(errdefs.Unimplemented) as refused:
        networks.require_available(PluginConfig.from_go({"Network": {"Type": "bridge"}}), "p")

    assert refused.value.message == (
        "plugin p asks for network bridge, which this node does not have yet: set Network.Type "
        "in its config.json to host or none"
    )
