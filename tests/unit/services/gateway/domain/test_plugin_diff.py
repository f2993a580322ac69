"""What differs between two versions of a plugin."""

from __future__ import annotations

from typing import Any

from services.gateway.domain import plugin_diff
from services.gateway.domain.plugin_diff import Difference, Version
from shared.oci.plugin_config import PluginConfig
from shared.oci.settings import initial_settings


def _config(**more: Any) -> PluginConfig:
    return PluginConfig.from_go(
        {
            "Description": "one",
            "Entrypoint": ["/p", "-v"],
            "Interface": {"Types": ["docker.volumedriver/1.0"], "Socket": "p.sock"},
            "Network": {"Type": ""},
            "Env": [
                {"Name": "LEVEL", "Value": "info", "Settable": ["value"]},
                {"Name": "MINE", "Value": "a", "Settable": ["value"]},
                {"Name": "GONE", "Value": "x"},
            ],
            **more,
        }
    )


def _version(config: PluginConfig, **more: Any) -> Version:
    kept = {"name": "p", "manifest_digest": "sha256:aa", "layers": ("sha256:1", "sha256:2")}
    return Version(config=config.to_dict(), **{**kept, **more})


def test_the_same() -> None:
    """Of the same version nothing differs."""
    found = plugin_diff.compare(_version(_config()), _version(_config()))
    assert (found.config, found.privileges, found.settings) == ((), (), ())
    assert (found.layers_kept, found.layers_added) == (("sha256:1", "sha256:2"), ())


def test_config_and_privileges() -> None:
    """Values are found by their paths, and what is newly needed is told by itself."""
    new = _config(Description="two", Network={"Type": "host"}, PidHost=True)
    found = plugin_diff.compare(_version(_config()), _version(new))
    assert Difference(what="Description", old="one", new="two") in found.config
    assert Difference(what="Network.Type", old=None, new="host") in found.config
    assert Difference(what="PidHost", old=None, new="true") in found.config
    assert found.privileges == (
        Difference(what="host pid namespace true", old=None, new="true"),
        Difference(what="network host", old=None, new="host"),
    )


def test_settings_after_an_upgrade() -> None:
    """What somebody chose stays, the rest follows the new defaults, and the reason is told."""
    old = _config()
    chosen = initial_settings(old)
    chosen = chosen.model_copy(update={"env": ("LEVEL=info", "MINE=b", "GONE=x")})
    new = _config(
        Env=[
            {"Name": "LEVEL", "Value": "warn", "Settable": ["value"]},
            {"Name": "MINE", "Value": "c", "Settable": ["value"]},
            {"Name": "NEW", "Value": "y"},
        ]
    )
    found = plugin_diff.compare(_version(old, settings=chosen.to_dict()), _version(new))
    assert found.settings == (
        Difference(what="env GONE", old="x", new=None, why="dropped"),
        Difference(what="env LEVEL", old="info", new="warn", why="default"),
        Difference(what="env MINE", old="b", new="b", why="kept"),
        Difference(what="env NEW", old=None, new="y", why="new"),
    )


def test_layers() -> None:
    """Layers are told apart by their digests."""
    old, new = _version(_config()), _version(_config(), layers=("sha256:2", "sha256:3"))
    found = plugin_diff.compare(old, new)
    assert found.layers_kept == ("sha256:2",)
    assert (found.layers_added, found.layers_removed) == (("sha256:3",), ("sha256:1",))
