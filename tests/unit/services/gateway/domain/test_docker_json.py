"""Docker's JSON."""

from __future__ import annotations

import json

from services.gateway.domain import docker_json
from tests.support.gateway import event, plugin, plugin_id


def test_plugin_object() -> None:
    """A plugin has Docker's six keys, its config and settings passed on as they are."""
    shown = docker_json.plugin_object(plugin("b", enabled=True))
    assert shown == {
        "Config": {"Interface": {"Types": ["docker.volumedriver/1.0"]}},
        "Enabled": True,
        "Id": plugin_id("b"),
        "Name": "b/plugin:latest",
        "PluginReference": "b/plugin:latest",
        "Settings": {"Env": []},
    }


def test_plugin_without_reference() -> None:
    """An empty reference is left out."""
    assert "PluginReference" not in docker_json.plugin_object(plugin(reference=""))


def test_event_line() -> None:
    """An event has exactly the keys that dockerd writes, and ends its line."""
    line = docker_json.event_line(event(1_700_000_000, time_ns=1_700_000_000_123_456_789))
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "Type": "plugin",
        "Action": "enable",
        "Actor": {"ID": plugin_id("a"), "Attributes": {"name": "a/plugin:latest"}},
        "scope": "local",
        "time": 1_700_000_000,
        "timeNano": 1_700_000_000_123_456_789,
    }


def test_encode() -> None:
    """Answers are compact, keep HTML characters and letters, and end with a newline."""
    assert docker_json.encode({"message": "<ü>"}) == '{"message":"<ü>"}\n'.encode()


def test_encode_half_a_surrogate() -> None:
    """Text that is no Unicode still makes an answer."""
    assert docker_json.encode("\ud800") == b'"?"\n'
