"""Names of streams."""

from __future__ import annotations

import pytest

from shared.bus import names


@pytest.mark.parametrize(
    ("stream", "template"),
    [
        (names.commands("n1", "store"), "wherry:{node}:store:commands"),
        (names.changes("n1", "store"), "wherry:{node}:store:changes"),
        (names.replies("n1", "store", "store-1-a"), "wherry:{node}:store:replies:{process}"),
        (names.progress("n1", "j-1"), "wherry:{node}:progress:{job}"),
    ],
)
def test_a_template_leaves_open_what_there_are_many_of(stream: str, template: str) -> None:
    """Span names must not grow with nodes, processes and jobs."""
    assert names.template(stream) == template


def test_names_are_those_of_the_nomenclature() -> None:
    """Operators look for them with redis-cli."""
    assert names.commands("n1", "store") == "wherry:n1:store:commands"
    assert names.dead(names.commands("n1", "store")) == "wherry:n1:store:commands:dead"
    assert names.epoch("n1", "store") == "wherry:n1:store:epoch"
