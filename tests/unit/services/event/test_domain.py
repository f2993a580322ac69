"""What a change adds to the feed."""

from __future__ import annotations

import pytest

from services.event.domain.feed import Happening, PluginTold, happenings, is_kept
from shared.contracts.node import RowsChanged
from shared.contracts.store import Fact

ENABLED = Fact(action="enable", actor_id="p1", attributes={"name": "sshfs:latest"}, time_ns=5)
DISABLED = Fact(action="disable", actor_id="p1", attributes={"name": "sshfs:latest"}, time_ns=6)


def change(revision: int, *facts: Fact) -> PluginTold:
    return PluginTold(epoch="e", revision=revision, facts=facts)


def added(subject: PluginTold, *, reached: int) -> tuple[Happening, ...]:
    return happenings(subject, reached=reached, node="n1", now_ns=99)


def test_each_fact_of_the_next_change_is_added_in_order() -> None:
    """The facts of one revision keep their order and are told apart by their place."""
    both = added(change(4, ENABLED, DISABLED), reached=3)

    assert [one.fact for one in both] == [ENABLED, DISABLED]
    assert [one.source for one in both] == [("e", 4, 0), ("e", 4, 1)]


@pytest.mark.parametrize("reached", [4, 5, 400])
def test_what_was_taken_in_before_adds_nothing(reached: int) -> None:
    """A change at or behind the position is a second copy."""
    assert added(change(4, ENABLED), reached=reached) == ()


def test_a_change_without_facts_adds_nothing() -> None:
    """A change that nobody is told of adds no event."""
    assert added(change(4), reached=3) == ()


def test_an_epoch_begins_with_revision_one() -> None:
    """The first change of an epoch that was never seen leaves no hole."""
    assert [one.fact for one in added(change(1, ENABLED), reached=0)] == [ENABLED]


@pytest.mark.parametrize(
    ("revision", "reached", "first_lost", "last_lost"),
    [(9, 3, "4", "8"), (5, 3, "4", "4"), (3, 0, "1", "2")],
)
def test_a_jump_is_told_before_what_follows_it(
    revision: int, reached: int, first_lost: str, last_lost: str
) -> None:
    """Revisions that never came are named by an event of their own, dated now."""
    hole, *rest = added(change(revision, ENABLED, DISABLED), reached=reached)

    assert (hole.fact.type, hole.fact.action, hole.fact.actor_id) == ("daemon", "events-lost", "n1")
    assert hole.fact.attributes == {"name": "n1", "from": first_lost, "to": last_lost}
    assert hole.fact.time_ns == 99
    assert [one.fact for one in rest] == [ENABLED, DISABLED]
    assert len({hole.source, *(one.source for one in rest)}) == 3


def test_a_jump_is_told_even_by_a_change_without_facts() -> None:
    """What went missing may have had facts."""
    assert [one.fact.action for one in added(change(9), reached=3)] == ["events-lost"]


def test_a_numbered_event_says_where_it_came_from() -> None:
    """The event carries all of the fact, its number, and the store's revision."""
    (one,) = added(change(4, ENABLED), reached=3)
    event = one.numbered(17)

    assert (event.seq, event.epoch, event.revision) == (17, "e", 4)
    assert (event.type, event.action, event.actor_id, event.scope, event.time_ns) == (
        "plugin",
        "enable",
        "p1",
        "local",
        5,
    )
    assert event.attributes == {"name": "sshfs:latest"}


def test_a_controllers_change_tells_what_it_tells_and_leaves_no_hole() -> None:
    """Most of its revisions are about rows alone: they are passed over, and nothing is missed."""
    came = Fact(type="node", action="create", actor_id="n", scope="swarm", time_ns=5)
    change = RowsChanged(epoch="e", revision=9, rows=(), facts=(came,))

    (event,) = happenings(change, reached=3, node="n1", now_ns=99)

    assert event.numbered(1).scope == "swarm"
    assert is_kept(change)
    assert not is_kept(RowsChanged(epoch="e", revision=10, rows=()))
    assert is_kept(PluginTold(epoch="e", revision=1, facts=()))
