"""One outcome for an Idempotency-Key, whatever is killed between two requests that carry it."""

from __future__ import annotations

import httpx
import pytest

from tests.support.node import PROCESSES, kept_up
from tests.support.plugin_context import Contexts
from tests.support.storm.node import SteppingNode
from tests.support.storm.steps import Order

_KEY = {"Idempotency-Key": "k"}
_MOST_STEPS = 30


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(600)
def test_a_key_has_one_outcome_over_any_crash(contexts: Contexts) -> None:
    """The store dies after each of its steps in turn; the repeat gets one outcome, done once.

    At last all is killed, and the outcome is still known.
    """
    with kept_up(SteppingNode()) as node:
        node.create("p", contexts.tar())
        for after in range(_MOST_STEPS):
            order = Order(service="store", after=after, number=after + 1)
            path, key = "/wherry/v1/plugins/p/resources", {"Idempotency-Key": f"k{after}"}
            node.die(order)
            answers: list[bytes] = []
            while len(answers) < 2:
                try:
                    answer = node.http.put(path, json={"pids": 50 + after}, headers=key)
                except httpx.HTTPError:
                    continue
                if answer.status_code < 500:
                    answers.append(answer.content)
            assert answers[0] == answers[1]
            node.until_told("p:latest", "create", *["update"] * (after + 1))
            if not node.has_died:
                break
        assert after > 3
        node.kill(*PROCESSES)
        node.up()
        again = node.http.put(path, json={"pids": 50 + after}, headers=key)
        assert again.content == answers[0]
        node.until_told("p:latest", "create", *["update"] * (after + 1))
