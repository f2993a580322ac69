"""A plugin's config and settings are read once."""

from __future__ import annotations

from services.store.domain.plugin_config import config_of, settings_of
from shared.contracts.plugin import Plugin

_PLUGIN = Plugin(
    plugin_id="a" * 64,
    name="p:latest",
    reference="p:latest",
    enabled=False,
    config={"Description": "first"},
    settings={"Env": ["A=1"]},
    config_digest="",
    manifest_digest="",
    created_at_ns=0,
)


def test_what_was_read_is_kept_while_the_plugin_changes() -> None:
    """Another state of the same plugin has the same config and settings, not read again."""
    enabled = _PLUGIN.model_copy(update={"enabled": True})

    assert config_of(enabled) is config_of(_PLUGIN)
    assert settings_of(enabled) is settings_of(_PLUGIN)


def test_another_config_is_read_anew() -> None:
    """An upgrade's config, and a set's settings, count at once, under the same id or digest."""
    assert (config_of(_PLUGIN).description, settings_of(_PLUGIN).env) == ("first", ("A=1",))

    after = _PLUGIN.model_copy(
        update={"config": {"Description": "second"}, "settings": {"Env": ["A=2"]}}
    )

    assert (config_of(after).description, settings_of(after).env) == ("second", ("A=2",))
    assert (config_of(_PLUGIN).description, settings_of(_PLUGIN).env) == ("first", ("A=1",))
