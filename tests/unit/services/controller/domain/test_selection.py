"""Which plugins a batch is about, and what they are to become."""

from __future__ import annotations

import pytest

from services.controller.domain import selection
from shared import errdefs
from shared.contracts.batch import BatchRequest, PrivilegePolicy, Selector, Target
from tests.support.batch import installed

_REX = installed("rex", config={"Interface": {"Types": ["docker.volumedriver/1.0"]}})
_OFF = installed("off", enabled=False, reference="registry.example/team/off:1.0")


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        (Selector(names=("rex",)), ["rex:latest"]),
        (Selector(names=("rex:latest", "nobody")), ["rex:latest"]),
        (Selector(names=(_REX.plugin_id[:8],)), ["rex:latest"]),
        (Selector(names=("nobody",)), []),
        (Selector(capability="volumedriver"), ["rex:latest"]),
        (Selector(capability="docker.volumedriver/1.0"), ["rex:latest"]),
        (Selector(capability="logdriver"), []),
        (Selector(enabled=False), ["off:latest"]),
        (Selector(reference="registry.example/team/*"), ["off:latest"]),
        (Selector(reference="registry.example/p"), ["rex:latest"]),
        (Selector(reference="*:v1"), ["rex:latest"]),
        (Selector(nodes=("n1",)), ["off:latest", "rex:latest"]),
        (Selector(enabled=True, capability="logdriver"), []),
    ],
)
def test_selected(selector: Selector, names: list[str]) -> None:
    """All that is said must fit."""
    assert [one.name for one in selection.selected(selector, (_REX, _OFF))] == names


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        (Selector(), True),
        (Selector(nodes=("n1", "n2")), True),
        (Selector(nodes=("n2",)), False),
        (Selector(node_labels=("rack=7",)), True),
        (Selector(node_labels=("rack",)), True),
        (Selector(node_labels=("rack=8",)), False),
        (Selector(node_labels=("rack", "ssd")), False),
    ],
)
def test_nodes(selector: Selector, fits: bool) -> None:
    """A node fits by its name and its labels."""
    assert selection.fits_node(selector, "n1", {"rack": "7"}) is fits


@pytest.mark.parametrize(
    ("target", "remote"),
    [
        (Target(tag="v2"), "registry.example/p:v2"),
        (Target(reference="other.example/q"), "other.example/q:latest"),
    ],
)
def test_target(target: Target, remote: str) -> None:
    """A tag is of each plugin's own repository, a reference is for all."""
    assert selection.target_of(target, _REX) == remote


@pytest.mark.parametrize(
    ("selector", "target"),
    [
        (Selector(), Target(tag="v2")),
        (Selector(enabled=True), Target()),
        (Selector(enabled=True), Target(tag="v2", reference="a/b")),
        (Selector(enabled=True), Target(tag="v 2")),
        (Selector(enabled=True), Target(reference="A B")),
    ],
)
def test_unsound(selector: Selector, target: Target) -> None:
    """What can't be meant is refused before anything is asked."""
    with pytest.raises(errdefs.InvalidArgument):
        selection.require_sound(BatchRequest(selector=selector, target=target))


def test_privileges_that_no_policy_looks_at() -> None:
    """Who lists privileges means grant-listed: another policy would pass over them in silence."""
    request = BatchRequest(
        selector=Selector(enabled=True),
        target=Target(tag="v2"),
        privileges=({"Name": "network", "Value": ["host"]},),
    )
    with pytest.raises(errdefs.InvalidArgument, match="require-same looks at none of them"):
        selection.require_sound(request)
    selection.require_sound(request.model_copy(update={"policy": PrivilegePolicy.GRANT_LISTED}))


def test_names_that_nothing_has() -> None:
    """What is named and is on no node is said: it may be a slip of the pen."""
    selector = Selector(names=("rex", "of", "nobody"), nodes=("n1", "n9"))
    said = list(selection.unmet(selector, {"n1"}, [(_REX,), (_OFF,)]))
    assert said == [
        "there is no node n9: `wherry node ls` shows them",
        "no plugin is called of on the nodes that were asked",
        "no plugin is called nobody on the nodes that were asked",
    ]
