"""The protocol of commands, operations and outboxes, in every order that Hypothesis thinks of."""

from __future__ import annotations

import os
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.protocol_model import Flaw, Node

_EXAMPLES = int(os.environ.get("WHERRY_EXAMPLES", "0"))
_PLUGINS = st.sampled_from(("p", "q"))


class Protocol(RuleBasedStateMachine):
    """Steps of all parts, in any order, with crashes and losses anywhere."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__()
        self.node = Node(flaw=flaw)

    @rule(plugin=_PLUGINS, on=st.booleans())
    def ask(self, plugin: str, on: bool) -> None:
        """Have a client ask."""
        self.node.ask(plugin, on=on)

    @rule(plugin=_PLUGINS, kind=st.sampled_from(("take", "begin", "act", "commit", "reply")))
    def step(self, plugin: str, kind: str) -> None:
        """Have the store go a step further."""
        match kind:
            case "take":
                self.node.take()
            case "begin":
                self.node.begin(0)
            case "act":
                self.node.act(plugin)
            case "commit":
                self.node.commit(plugin)
            case "reply":
                self.node.reply()

    @rule(plugin=_PLUGINS)
    def carry_out(self, plugin: str) -> None:
        """Have the store carry a command out without anything in between."""
        self.node.take()
        self.node.begin(0)
        self.node.act(plugin)
        self.node.commit(plugin)

    @rule(again=st.integers(0, 3))
    def tell(self, again: int) -> None:
        """Publish a fact, and take it in, perhaps some once more."""
        self.node.relay()
        self.node.take_in(again)

    @rule(kind=st.sampled_from(("kill", "lose", "redeliver")))
    def bad_luck(self, kind: str) -> None:
        """Something dies, is lost, or comes twice."""
        match kind:
            case "kill":
                self.node.kill_store()
            case "lose":
                self.node.lose_redis()
            case "redeliver":
                self.node.redeliver()

    @invariant()
    def nothing_twice(self) -> None:
        """See that no command has two effects, and nothing runs twice."""
        assert not [n for n, count in self.node.effects.items() if count > 1]
        held = list(self.node.running.values())
        assert len(held) == len(set(held))

    @invariant()
    def nothing_lost(self) -> None:
        """See that what was acknowledged had its effect, and what was refused had none."""
        assert all(self.node.effects[one.number] for one in self.node.acknowledged)
        assert not any(self.node.effects[one.number] for one in self.node.refused)

    @invariant()
    def events_in_order(self) -> None:
        """See that the feed is a beginning of what was committed, each once."""
        committed = [self.node.store.outbox[n] for n in sorted(self.node.store.outbox)]
        assert self.node.feed == committed[: len(self.node.feed)]

    def teardown(self) -> None:
        """Come to rest: what runs is what is enabled, and each change has its event."""
        node = self.node
        node.kill_store()
        for _ in range(len(node.store.outbox) + 1):
            node.relay()
            node.take_in()
        assert not node.store.operations
        assert sorted(node.running.values()) == sorted(node.store.enabled)
        assert sorted(node.running) == sorted(node.store.containers.values())
        assert len(node.feed) == sum(node.effects.values())


def _check(flaw: Flaw) -> None:
    run_state_machine_as_test(
        cast("type[Protocol]", lambda: Protocol(flaw)),
        settings=settings(
            # A flaw ends the search when it is seen; some take luck.
            max_examples=_EXAMPLES or (60 if flaw is Flaw.NONE else 5_000),
            stateful_step_count=30,
            deadline=None,
            database=None,
            derandomize=not _EXAMPLES,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # a failure is expected of flaws, and is not made small
        ),
    )


@pytest.mark.timeout(600)
def test_the_protocol_keeps_its_promises() -> None:
    """In no order of deliveries, crashes and losses is anything lost, doubled or left."""
    _check(Flaw.NONE)


@pytest.mark.parametrize(
    "flaw", [flaw for flaw in Flaw if flaw is not Flaw.NONE], ids=lambda flaw: flaw.name
)
@pytest.mark.timeout(600)
def test_each_rule_is_needed(flaw: Flaw) -> None:
    """Without any one of its rules the protocol breaks, and this test sees it."""
    with pytest.raises(AssertionError):
        _check(flaw)
