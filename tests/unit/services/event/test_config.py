"""The event service's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.event.config import EventConfig
from shared import errdefs
from shared.node.config import NodeConfig

NODE = NodeConfig.from_env({"WHERRY_NODE": "n1", "WHERRY_ROOT": "/data"})


def test_defaults() -> None:
    """Nobody need set anything; the database lies below the data root."""
    config = EventConfig.load(NODE, {})

    assert config.events_keep == 100_000
    assert config.database == Path("/data/event/event.db")


def test_as_many_as_docker_keeps_are_the_least() -> None:
    """The number kept is taken from the environment; 256 is allowed."""
    assert EventConfig.load(NODE, {"WHERRY_EVENTS_KEEP": "256"}).events_keep == 256


@pytest.mark.parametrize("text", ["255", "0", "-1", "many", "1e6"])
def test_a_wrong_number_is_named(text: str) -> None:
    """A number that is none, or too small, stops the start with the variable's name."""
    with pytest.raises(errdefs.InvalidArgument, match=f"WHERRY_EVENTS_KEEP={text}: must be"):
        EventConfig.load(NODE, {"WHERRY_EVENTS_KEEP": text})
