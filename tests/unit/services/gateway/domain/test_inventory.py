"""The replica's picture of the inventory."""

from __future__ import annotations

import itertools
import json

import pytest

from services.gateway.domain.inventory import Inventory
from services.gateway.domain.plugin_filter import PluginFilter
from shared import errdefs
from shared.contracts.event import FeedPosition
from tests.support.gateway import EPOCH, changed, plugin, plugin_id, snapshot

_ALL = PluginFilter()


def _at(revision: int, *letters: str) -> Inventory:
    inventory = Inventory()
    inventory.take(snapshot(revision, *(plugin(letter) for letter in letters)))
    return inventory


def _names(inventory: Inventory) -> list[str]:
    return [shown["Name"] for shown in json.loads(inventory.docker_list(_ALL))]


def test_changes_in_order() -> None:
    """Each change moves the revision on, and the list shows it."""
    inventory = _at(4, "a")
    inventory.apply(changed(5, plugin("b")))
    assert (inventory.revision, _names(inventory)) == (5, ["a/plugin:latest", "b/plugin:latest"])
    inventory.apply(changed(6, None, letter="a"))
    assert (inventory.revision, _names(inventory)) == (6, ["b/plugin:latest"])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_changes_in_any_order(order: tuple[int, ...]) -> None:
    """However changes arrive, and however often, the end is the same."""
    changes = (
        changed(5, plugin("a", enabled=True)),
        changed(6, plugin("b")),
        changed(7, plugin("a", enabled=False, reference="x:1")),
        changed(8, None, letter="b"),
    )
    inventory = _at(4, "a")
    for index in (*order, *order):
        inventory.apply(changes[index])
    assert inventory.revision == 8
    assert [e.plugin for e in inventory.entries.values()] == [plugin("a", reference="x:1")]


def test_change_ahead_is_contained_at_once() -> None:
    """A reply's change is part of the picture before those that precede it have come."""
    inventory = _at(4, "a")
    inventory.apply(changed(6, plugin("a", enabled=True)))
    assert inventory.contains(EPOCH, 6)
    assert not inventory.contains(EPOCH, 5)
    assert inventory.revision == 4
    assert inventory.newest == FeedPosition(source="store", epoch=EPOCH, revision=6)
    assert inventory.resolve("a/plugin").plugin.enabled
    inventory.apply(changed(5, plugin("b")))
    assert inventory.revision == 6


def test_older_change_of_a_plugin_does_not_undo_a_newer() -> None:
    """A change that arrives late changes only what it is the newest of."""
    inventory = _at(4)
    inventory.apply(changed(6, None, letter="a"))
    inventory.apply(changed(5, plugin("a")))
    assert not inventory.entries


def test_change_of_another_epoch_is_not_taken() -> None:
    """Revisions of another epoch say nothing about this picture."""
    inventory = _at(4, "a")
    inventory.apply(changed(5, None, letter="a", epoch="epoch-2"))
    assert (inventory.revision, len(inventory.entries)) == (4, 1)
    assert not inventory.contains("epoch-2", 1)


def test_older_snapshot_is_not_taken() -> None:
    """The picture never goes back."""
    inventory = _at(4, "a")
    inventory.take(snapshot(3))
    assert (inventory.revision, len(inventory.entries)) == (4, 1)


def test_snapshot_keeps_what_is_newer() -> None:
    """What is known of later revisions survives a snapshot, removals too."""
    inventory = _at(4, "a", "b")
    inventory.apply(changed(7, None, letter="b"))
    inventory.apply(changed(8, plugin("a", enabled=True)))
    inventory.take(snapshot(6, plugin("a"), plugin("b"), plugin("c")))
    assert inventory.revision == 8
    assert _names(inventory) == ["a/plugin:latest", "c/plugin:latest"]
    assert inventory.resolve("a/plugin").plugin.enabled


def test_snapshot_of_a_new_epoch_replaces_everything() -> None:
    """A new epoch begins anew, at a lower revision too."""
    inventory = _at(9, "a")
    inventory.apply(changed(11, plugin("b")))
    inventory.take(snapshot(2, plugin("c"), epoch="epoch-2"))
    assert inventory.newest == FeedPosition(source="store", epoch="epoch-2", revision=2)
    assert _names(inventory) == ["c/plugin:latest"]


def test_name_moves_to_another_plugin() -> None:
    """A name that was freed and taken again means the newer plugin, in either order of news."""
    inventory = _at(4, "a")
    inventory.apply(changed(6, plugin("b", name="a/plugin:latest")))
    inventory.apply(changed(5, None, letter="a"))
    assert inventory.resolve("a/plugin").plugin.plugin_id == plugin_id("b")


def test_resolve() -> None:
    """A plugin is found by its name, its id and the beginning of its id."""
    inventory = _at(1, "a", "b")
    for name in ("a/plugin", "docker.io/a/plugin:latest", plugin_id("a"), "aaaa"):
        assert inventory.resolve(name).plugin.plugin_id == plugin_id("a")
    with pytest.raises(errdefs.NotFound, match='plugin "cc" not found'):
        inventory.resolve("cc")


def test_list_is_sorted_and_filtered() -> None:
    """The list is sorted by name, whatever the order of arrival."""
    inventory = _at(1, "c", "a")
    inventory.apply(changed(2, plugin("b", enabled=True)))
    assert _names(inventory) == ["a/plugin:latest", "b/plugin:latest", "c/plugin:latest"]
    enabled = json.loads(inventory.docker_list(PluginFilter(enabled=True)))
    assert [shown["Name"] for shown in enabled] == ["b/plugin:latest"]


def test_empty_list() -> None:
    """Without plugins the list is empty, and not null."""
    assert _at(0).docker_list(_ALL) == b"[]\n"
