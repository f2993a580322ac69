"""What an author declares under `Wherry` in config.json."""

from __future__ import annotations

import pytest

from shared.oci.go_struct import GoTypeError
from shared.oci.plugin_config import PluginConfig
from shared.oci.plugin_extension import HealthExtension, PluginExtension

DECLARED = b"""{"description":"d","wherry":{"restart":"on-failure:5","REQUIRES":["vault"],
"health":{"test":["CALL","VolumeDriver.List"],"interval":"30s","retries":2},
"handover":true,"later":{"x":1}}}"""


def test_declaration_is_read_in_any_case_and_beside_unknown_keys() -> None:
    """Keys match in any case as Docker's do, and those of newer versions are ignored."""
    assert PluginExtension.from_config(DECLARED) == PluginExtension(
        restart="on-failure:5",
        requires=("vault",),
        health=HealthExtension(test=("CALL", "VolumeDriver.List"), interval="30s", retries=2),
        handover=True,
    )


@pytest.mark.parametrize("config", [b'{"description":"d"}', b'{"Wherry":null}', b"null", b"[]"])
def test_config_without_the_key_declares_nothing(config: bytes) -> None:
    """Docker's own plugins say nothing, and their config keeps its bytes."""
    extension = PluginExtension.from_config(config)

    assert extension == PluginExtension()
    assert extension.add_to(config) == config


def test_declaration_of_a_wrong_type_is_told_in_go_words() -> None:
    """What is no declaration is refused, naming the key."""
    with pytest.raises(GoTypeError, match=r"PluginExtension\.Wherry\.Handover of type bool"):
        PluginExtension.from_config(b'{"Wherry":{"Handover":"yes"}}')


def test_declaration_travels_in_the_config_blob() -> None:
    """A config that is written again keeps Docker's part, and is read back with the declaration."""
    extension = PluginExtension.from_config(DECLARED)
    blob = extension.add_to(PluginConfig.from_json(DECLARED).to_json())

    assert PluginConfig.from_json(blob) == PluginConfig.from_json(DECLARED)
    assert PluginExtension.from_config(blob) == extension
    assert blob.endswith(b'"Handover":true}}\n')
