"""Random verbs, kills and restarts on a real node, which is never found to differ from a model.

WHERRY_STEPS says how many steps are taken, WHERRY_SEED which; 200 steps, always the same, where
neither is set. Each step is printed, so a failure shows the way to it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import cast

import httpx
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from deploy.demo import processes
from deploy.demo.processes import Process
from tests.chaos.conftest import StartNode
from tests.support.node import PROCESSES, Node, eventually
from tests.support.plugin_context import Contexts
from tests.support.plugin_model import (
    Acquire,
    Answer,
    Create,
    Disable,
    Enable,
    Pull,
    Release,
    Remove,
    Set,
    SetInVain,
    State,
    Upgrade,
    Verb,
    in_any_order,
)
from tests.support.plugin_verbs import PluginVerbs
from tests.support.registry import RegistryServer

_STEPS = int(os.environ.get("WHERRY_STEPS", "200"))
_SEED = int(os.environ.get("WHERRY_SEED", "1"))
_STEPS_OF_A_LIFE = 25
_HEAL_LIMIT_S = 60.0

#: None is the beginning of an id, which would name a plugin as well.
_NAMES = st.sampled_from(("p", "q"))
_VERSIONS = st.sampled_from(("v1", "v2"))
_OWNERS = st.sampled_from(("volume/one", "network/two"))
_QUICK = st.one_of(
    st.builds(Create, _NAMES),
    st.builds(Enable, _NAMES),
    st.builds(Enable, _NAMES),
    st.builds(Disable, _NAMES, st.booleans()),
    st.builds(Remove, _NAMES, st.booleans()),
    st.builds(Set, _NAMES, st.sampled_from(("x", "y"))),
    st.builds(SetInVain, _NAMES, st.just("z")),
    st.builds(Acquire, _NAMES, _OWNERS),
    st.builds(Release, _NAMES, _OWNERS),
)
_VERBS = st.one_of(
    _QUICK, st.builds(Pull, _NAMES, _VERSIONS), st.builds(Upgrade, _NAMES, _VERSIONS)
)
#: Who is killed at once; all, and the operator starts the node anew.
_KILLED = st.sampled_from(
    [*((name,) for name in PROCESSES if name != "parent"), ("store", "executor"), PROCESSES]
)


_MOMENTS_S = st.sampled_from((0.0, 0.01, 0.03, 0.1))
#: What a step is, by how often it comes: kills and restarts take seconds.
_KINDS = ("verb",) * 10 + ("two verbs",) * 3 + ("kill", "kill in a verb", "kill a plugin")


class PluginMachine(RuleBasedStateMachine):
    """Says a verb to the node and to the model, and compares; one node for all lives."""

    def __init__(self, verbs: PluginVerbs) -> None:
        super().__init__()
        self._verbs = verbs
        self._node: Node = verbs.node
        self._state: State = {}

    # One rule, because Hypothesis would leave some of many rules out of a life.
    @rule(kind=st.sampled_from(_KINDS), data=st.data())
    def step(self, kind: str, data: st.DataObject) -> None:
        """Take a step of a kind."""
        match kind:
            case "verb":
                self._say(data.draw(_VERBS))
            case "two verbs":
                self._say_at_once(data.draw(_QUICK), data.draw(_QUICK))
            case "kill":
                self._kill(data.draw(_KILLED))
            case "kill in a verb":
                self._kill_in_a_verb(data.draw(_VERBS), data.draw(_KILLED), data.draw(_MOMENTS_S))
            case "kill a plugin":
                self._kill_a_plugin(data.draw(_NAMES))

    def teardown(self) -> None:
        """Take the node down and up again, and end this life without a plugin."""
        _tell("down, up")
        self._node.shut_down()
        self._node.up()
        self._is_now(self._state)
        self._node.remove_all()
        self._is_now({})

    def _say(self, verb: Verb) -> None:
        after, expected = verb.then(self._state)
        answer = self._verbs.say(verb)
        _tell(verb, "->", answer.status)
        assert answer.status == expected.status, (verb, answer)
        assert expected.words in answer.words, (verb, answer)
        self._is_now(after)

    def _say_at_once(self, one: Verb, other: Verb) -> None:
        """Expect of two verbs at once what they do one after the other, either way."""
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(self._verbs.say, (one, other)))
        _tell(one, "beside", other, "->", *(answer.status for answer in answers))
        told = tuple(answer.status for answer in answers)
        allowed = in_any_order(self._state, one, other)
        states = [o.state for o in allowed if tuple(a.status for a in o.answers) == told]
        assert states, (one, other, answers)
        self._is_now(*states)

    def _kill(self, killed: tuple[str, ...]) -> None:
        """Expect what is at rest to stay as it was, whoever dies."""
        _tell("kill -9", *killed)
        self._node.kill(*killed)
        self._heal(killed)
        self._is_now(self._state)

    def _kill_in_a_verb(self, verb: Verb, killed: tuple[str, ...], after_s: float) -> None:
        """Expect a verb whose services die done wholly or not at all; done, if it was answered."""
        after, expected = verb.then(self._state)
        with ThreadPoolExecutor(1) as pool:
            saying = pool.submit(self._said_somehow, verb)
            with suppress(TimeoutError):
                saying.result(timeout=after_s)  # the moment is what is varied
            self._node.kill(*killed)
            self._heal(killed)
            answer = saying.result(timeout=_HEAL_LIMIT_S)
        _tell(verb, "kill -9", *killed, f"after {after_s} s ->", answer and answer.status)
        if answer is not None and answer.is_success:
            assert expected.is_success, (verb, answer)
            self._is_now(after)
        else:
            self._is_now(self._state, after)

    def _kill_a_plugin(self, name: str) -> None:
        """Expect a plugin that is killed to run again as another process."""
        plugin = self._state.get(name)
        if plugin is None or not plugin.enabled:
            return
        _tell("kill -9 the plugin", name)
        pid = self._node.status(name)["pid"]
        processes.kill([Process(pid=pid, title="plugin")])
        eventually(lambda: self._node.status(name)["pid"] not in (pid, None), "it runs again")
        self._is_now(self._state)

    def _said_somehow(self, verb: Verb) -> Answer | None:
        try:
            return self._verbs.say(verb)
        except httpx.TransportError:
            return None

    def _heal(self, killed: tuple[str, ...]) -> None:
        if "parent" in killed:
            self._node.up()
        else:
            self._node.wait_healthy()

    def _is_now(self, *states: State) -> None:
        """Wait until the node is at rest in one of these states; it is the model's from then on."""
        eventually(
            lambda: self._verbs.observed() in states and not self._verbs.contradictions(),
            _Difference(self._verbs, states),
            limit_s=_HEAL_LIMIT_S,
        )
        self._state = self._verbs.observed()


def _tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


class _Difference:
    """Says, when it is asked at last, how node and model differ."""

    def __init__(self, verbs: PluginVerbs, states: tuple[State, ...]) -> None:
        self._verbs = verbs
        self._states = states

    def __str__(self) -> str:
        observed, wrong = self._verbs.observed(), self._verbs.contradictions()
        return f"one of {self._states} at rest; it is {observed}, and {wrong}"


@pytest.fixture
def verbs(start_node: StartNode, contexts: Contexts) -> Iterator[PluginVerbs]:
    """Run a node, and a registry with two versions of a plugin."""
    with RegistryServer() as registry:
        node = start_node(WHERRY_STOP_GRACE_S="1")
        verbs = PluginVerbs(node=node, contexts=contexts, remote=f"{registry.authority}/p")
        verbs.publish(("v1", "v2"))
        yield verbs


# httpx leaves a socket open when it cannot connect, as to a gateway that was killed.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.timeout(_STEPS * 5)
def test_a_node_does_what_the_model_does(verbs: PluginVerbs) -> None:
    """No verb, no race, no kill and no restart brings a node where the model does not go."""
    _tell(f"WHERRY_STEPS={_STEPS} WHERRY_SEED={_SEED}")
    machine = seed(_SEED)(lambda: PluginMachine(verbs))
    run_state_machine_as_test(
        cast("type[PluginMachine]", machine),  # its signature is narrower than what it takes
        settings=settings(
            max_examples=max(1, _STEPS // _STEPS_OF_A_LIFE),
            stateful_step_count=_STEPS_OF_A_LIFE,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # a step is real: shorter ways are not looked for
            suppress_health_check=list(HealthCheck),
        ),
    )
