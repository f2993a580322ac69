"""Plugins as the command line lists them."""

from __future__ import annotations

from typing import Any

import pytest

from services.cli.domain.plugin import Plugin, listed


@pytest.mark.parametrize(
    ("upgrading", "shown"),
    [
        ({}, "running  0"),
        ({"upgrading": None}, "running  0"),
        ({"upgrading": {"phase": "monitor"}}, "running (upgrade: monitor)  0"),
    ],
)
def test_an_upgrade_is_shown_with_the_state(upgrading: dict[str, Any], shown: str) -> None:
    """While another version takes over, the list says how far it is."""
    plugin = Plugin.from_json(
        {
            "plugin_id": "a" * 64,
            "name": "p:latest",
            "reference": "p:1",
            "enabled": True,
            "status": {"state": "running", "restarts": 0, **upgrading},
        }
    )

    row = listed([plugin]).splitlines()[-1]

    assert " ".join(shown.split()) in " ".join(row.split())
