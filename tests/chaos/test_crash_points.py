"""A service that dies between any two of its steps, in each saga: wholly done or not at all.

The points are not listed: a saga is repeated, the service dying one step later each time, until
it comes through alive. What a step is, see tests.support.storm.steps.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.node import Node, eventually, kept_up
from tests.support.plugin_context import Contexts
from tests.support.plugin_model import (
    Answer,
    Create,
    Disable,
    Enable,
    Pull,
    Remove,
    Set,
    State,
    Upgrade,
    Verb,
)
from tests.support.plugin_verbs import PluginVerbs
from tests.support.registry import RegistryServer
from tests.support.storm.node import SteppingNode
from tests.support.storm.steps import Order

_HEAL_LIMIT_S = 60.0
#: Far more than any saga has.
_MOST_STEPS = 80


@pytest.fixture(scope="module")
def verbs(contexts: Contexts) -> Iterator[PluginVerbs]:
    """Run a node, and a registry with two versions of a plugin."""
    with (
        RegistryServer() as registry,
        kept_up(SteppingNode(WHERRY_STOP_GRACE_S="1")) as node,
    ):
        verbs = PluginVerbs(node=node, contexts=contexts, remote=f"{registry.authority}/p")
        verbs.publish(("v1", "v2"))
        yield verbs
        node.shut_down()
        assert not node.leftovers()


#: What leads to each saga, and the saga itself.
_SAGAS: dict[str, tuple[tuple[Verb, ...], Verb]] = {
    "create": ((), Create("p")),
    "pull": ((), Pull("p", "v1")),
    "set": ((Create("p"),), Set("p", "x")),
    "enable": ((Create("p"),), Enable("p")),
    "disable": ((Create("p"), Enable("p")), Disable("p", force=False)),
    "upgrade": ((Pull("p", "v1"),), Upgrade("p", "v2")),
    "remove": ((Create("p"),), Remove("p", force=False)),
    "remove running": ((Create("p"), Enable("p")), Remove("p", force=True)),
}
_PARTS = {
    "create": ("store", "gateway"),
    "pull": ("store", "pull"),
    "set": ("store",),
    "enable": ("store", "executor"),
    "disable": ("store", "executor"),
    "upgrade": ("store", "pull"),
    "remove": ("store",),
    "remove running": ("store", "executor"),
}
_numbers = itertools.count(1)


@pytest.mark.parametrize(
    ("saga", "service"),
    [(saga, service) for saga, services in _PARTS.items() for service in services],
    ids=lambda one: str(one).replace(" ", "-"),
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(900)
def test_a_service_dies_at_each_point(verbs: PluginVerbs, saga: str, service: str) -> None:
    """Wherever a service dies, the saga is done wholly or not at all, and nothing stays."""
    for after in range(_MOST_STEPS):
        # Each saga has more than one step: one that passes the first alive is tried anew.
        tries = 3 if after <= 1 else 1
        if not any(_dies(verbs, saga, service, after) for _ in range(tries)):
            assert after > 1, f"{saga} has no step in {service}"
            sys.stdout.write(f"{saga}: {after} points in {service}\n")
            return
    pytest.fail(f"{saga} did not come to its end within {_MOST_STEPS} steps")


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_collection_dies_at_each_point(verbs: PluginVerbs, after: int) -> None:
    """What a plugin needs stays, wherever the store dies; the next collection takes the rest."""
    _prepared(verbs, (Create("p"),))
    folder = verbs.node.root / "content" / "blobs" / "sha256"
    needed = _names(folder)
    for data in (b"one", b"two", b"three"):
        (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)

    assert _collect_and_die(verbs, after)

    assert needed <= _names(folder)
    assert verbs.node.http.post("/wherry/v1/content/collect").status_code == 200
    eventually(lambda: _names(folder) == needed, "only what is needed is there")
    _empty(verbs)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _collect_and_die(verbs: PluginVerbs, after: int) -> bool:
    """Have the store die at a point of a collection; return whether it came so far."""
    node = verbs.node
    assert isinstance(node, SteppingNode)
    node.die(Order(service="store", after=after, number=next(_numbers)))
    with contextlib.suppress(httpx.HTTPError):
        node.http.post("/wherry/v1/content/collect")
    node.live()
    node.wait_healthy()
    sys.stdout.write(f"collect {after}: {node.died_at or 'alive'}\n")
    return node.has_died


def _dies(verbs: PluginVerbs, saga: str, service: str, after: int) -> bool:
    """Have a saga done and the service die after some steps; return whether it came so far."""
    before, verb = _SAGAS[saga]
    state = _prepared(verbs, before)
    order = Order(service=service, after=after, number=next(_numbers))
    has_died = _said_until_death(verbs, order, verb, state)
    _empty(verbs)
    return has_died


def _prepared(verbs: PluginVerbs, before: tuple[Verb, ...]) -> State:
    state: State = {}
    for verb in before:
        state, expected = verb.then(state)
        answer = verbs.say(verb)
        assert answer.status == expected.status, (verb, answer)
    return state


def _said_until_death(verbs: PluginVerbs, order: Order, verb: Verb, state: State) -> bool:
    node = verbs.node
    assert isinstance(node, SteppingNode)
    node.die(order)
    after, _ = verb.then(state)
    answer = _answer(verbs, verb)
    node.live()
    node.wait_healthy()
    died_at = node.died_at
    sys.stdout.write(f"{order.after}: {died_at or 'alive'} -> {answer and answer.status}\n")
    allowed = (after,) if answer is not None and answer.is_success else (state, after)
    eventually(
        lambda: verbs.observed() in allowed and not verbs.contradictions(),
        _Difference(verbs, allowed),
        limit_s=_HEAL_LIMIT_S,
    )
    return bool(died_at)


def _answer(verbs: PluginVerbs, verb: Verb) -> Answer | None:
    try:
        return verbs.say(verb)
    except (httpx.HTTPError, ValueError):
        return None


def _empty(verbs: PluginVerbs) -> None:
    verbs.node.remove_all()
    eventually(lambda: not verbs.node.files(), _Files(verbs.node))


class _Files:
    def __init__(self, node: Node) -> None:
        self._node = node

    def __str__(self) -> str:
        return f"no file is left; there is {self._node.files()}"


class _Difference:
    """Says, when it is asked at last, what was found."""

    def __init__(self, verbs: PluginVerbs, allowed: tuple[State, ...]) -> None:
        self._verbs, self._allowed = verbs, allowed

    def __str__(self) -> str:
        found = self._verbs.observed(), self._verbs.contradictions()
        return f"at rest as one of {self._allowed}; found {found}"
