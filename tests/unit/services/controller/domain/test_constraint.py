"""Placement constraints, as swarm reads them."""

from __future__ import annotations

import pytest

from services.controller.domain.constraint import Placeable, admits, parse
from shared import errdefs

NODE = Placeable(
    node_id="abc",
    hostname="host-1",
    address="192.0.2.7",
    role="manager",
    architecture="x86_64",
    labels={"zone": "a", "Disk": "ssd"},
    engine_labels={"os": "debian"},
)


@pytest.mark.parametrize(
    ("expression", "is_admitted"),
    [
        ("node.role==manager", True),
        ("node.role == MANAGER", True),
        ("node.role!=manager", False),
        ("node.id==abc", True),
        ("node.hostname!=host-2", True),
        ("node.labels.zone==a", True),
        ("node.labels.zone==b", False),
        ("node.labels.Disk==SSD", True),
        ("node.labels.disk==ssd", False),
        ("node.labels.none!=x", True),
        ("node.labels.none==x", False),
        ("engine.labels.os==debian", True),
        ("node.platform.os==linux", True),
        ("node.platform.arch!=aarch64", True),
        ("node.ip==192.0.2.7", True),
        ("node.ip==192.0.2.0/24", True),
        ("node.ip!=192.0.2.0/24", False),
        ("node.ip==198.51.100.1", False),
        ("node.ip!=nonsense", False),
        ("node.colour==blue", False),
        ("node.colour!=blue", False),
    ],
)
def test_a_constraint_admits_nodes(expression: str, is_admitted: bool) -> None:
    """Values are compared without case, labels' names with it; a key of nobody admits no node."""
    assert admits(parse([expression]), NODE) is is_admitted


def test_all_constraints_hold() -> None:
    """One that is not fulfilled is enough to keep a node out."""
    assert admits(parse(["node.role==manager", "node.labels.zone==a"]), NODE)
    assert not admits(parse(["node.role==manager", "node.labels.zone==b"]), NODE)
    assert admits((), NODE)


def test_a_node_without_an_address_is_in_no_network() -> None:
    """What is not known equals nothing."""
    node = Placeable(node_id="x")

    assert not admits(parse(["node.ip==192.0.2.0/24"]), node)
    assert admits(parse(["node.ip!=192.0.2.0/24"]), node)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("node.role", "constraint expected one operator from ==, !="),
        ("node.role=manager", "constraint expected one operator from ==, !="),
        ("1node==x", "key '1node' is invalid"),
        ("==x", "key '' is invalid"),
        ("node.role==", "value '' is invalid"),
        ("node.role==a>b", "value 'a>b' is invalid"),
    ],
)
def test_what_is_no_constraint_is_refused(expression: str, text: str) -> None:
    """The text is swarm's."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        parse([expression])
    assert raised.value.message == text
