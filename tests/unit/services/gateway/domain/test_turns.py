"""Whose turn it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.turns import Client, Turns

_A, _B, _C = (Client(name=name) for name in "abc")


def _everybody(_client: Client) -> bool:
    return True


def _all(turns: Turns[str]) -> list[str]:
    taken = []
    while (waiting := turns.take(_everybody)) is not None:
        taken.append(waiting)
    return taken


def _queue(*waiting: tuple[Client, str]) -> Turns[str]:
    turns: Turns[str] = Turns()
    for client, one in waiting:
        turns.add(client, one)
    return turns


def test_clients_take_turns() -> None:
    """Who sent much waits behind who sent little; what one client sent stays in its order."""
    turns = _queue((_A, "a1"), (_A, "a2"), (_A, "a3"), (_B, "b1"), (_C, "c1"), (_B, "b2"))

    assert _all(turns) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert len(turns) == 0


def test_many_processes_of_one_user_have_one_turn() -> None:
    """A user that starts a thousand programs is as far in front as one that starts one."""
    processes = [Client(name="a", pid=pid) for pid in range(1, 6)]
    turns = _queue(*((one, f"a{one.pid}") for one in processes), (_B, "b1"), (_B, "b2"))

    assert _all(turns) == ["a1", "b1", "a2", "b2", "a3", "a4", "a5"]


def test_who_may_not_is_passed_over() -> None:
    """The others do not wait for it, and its turn stays its own."""
    turns = _queue((_A, "a1"), (_B, "b1"))

    assert turns.take(lambda client: client != _A) == "b1"
    assert turns.take(lambda client: client != _A) is None
    assert turns.take(_everybody) == "a1"


def test_the_last_of_who_has_most_is_dropped() -> None:
    """Who floods the queue makes room for the others, not they for it."""
    turns = _queue((_A, "a1"), (_A, "a2"), (_A, "a3"), (_B, "b1"))

    dropped = turns.drop()

    assert (dropped.waiting, dropped.of_client) == ("a3", 3)
    assert _all(turns) == ["a1", "b1", "a2"]


def test_among_equals_the_newcomer_is_dropped() -> None:
    """Who came first stays."""
    turns = _queue((_A, "a1"), (_B, "b1"), (_C, "c1"))

    assert turns.drop().waiting == "c1"


def test_a_user_with_many_processes_floods_too() -> None:
    """It is counted whole; of its processes the one that came last makes room."""
    processes = [Client(name="a", pid=pid) for pid in range(1, 4)]
    turns = _queue(*((one, f"a{one.pid}") for one in processes), (_B, "b1"), (_B, "b2"))

    dropped = turns.drop()

    assert (dropped.waiting, dropped.of_client) == ("a3", 1)


def test_who_leaves_is_forgotten() -> None:
    """A repeat does nothing."""
    turns = _queue((_A, "a1"), (_B, "b1"))

    turns.discard(_A, "a1")
    turns.discard(_A, "a1")

    assert len(turns) == 1
    assert _all(turns) == ["b1"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), max_size=60))
def test_nobody_has_two_turns_before_another_has_one(sent: list[tuple[str, int]]) -> None:
    """While two names wait, what is taken comes from both alike; all of it is taken once."""
    turns: Turns[tuple[int, str]] = Turns()
    for number, (name, pid) in enumerate(sent):
        turns.add(Client(name=name, pid=pid), (number, name))

    taken = []
    while (one := turns.take(_everybody)) is not None:
        taken.append(one)

    assert sorted(number for number, _ in taken) == list(range(len(sent)))
    for at in range(len(taken)):
        left = {name for _, name in taken[at:]}
        names = [name for _, name in taken[at : at + len(left)]]
        assert set(names) == left
