"""One of many clients: it says verbs about plugins of its own, and knows what they must be."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from tests.support.node_api import NodeApi
from tests.support.plugin_model import (
    Acquire,
    Answer,
    Create,
    Disable,
    Enable,
    ModelPlugin,
    Pull,
    Release,
    Remove,
    Set,
    State,
    Upgrade,
    Verb,
)
from tests.support.plugin_verbs import PluginVerbs
from tests.support.storm.tally import Tally

_SETTLE_LIMIT_S: Final = 120.0
_LOOK_S: Final = 0.2
#: States in which an operation is under way. Its command may be answered, or lost: what was cut
#: short is ended by the store all the same.
_PASSING: Final = ("starting", "stopping")
#: A state by name; None: there is no such plugin.
Known = ModelPlugin | None


class Client(threading.Thread):
    """Says verbs until it is told to stop; nobody else says any about its plugins.

    What was answered is known. What was not may have happened: the client then waits until
    nothing of it can be under way any more, and looks; what it finds must be one of the two.
    """

    def __init__(
        self, *, name: str, seed: str, api: NodeApi, verbs: PluginVerbs, tally: Tally
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._random = random.Random(seed)
        self._names = (f"{name}-a", f"{name}-b")
        self._known: State = {}
        self._api = api
        self._verbs = verbs
        self._tally = tally
        self._may_go_on = threading.Event()
        self._is_over = threading.Event()
        self._rests = threading.Event()
        self.fault: BaseException | None = None

    def run(self) -> None:
        """Say verbs."""
        try:
            while self._goes_on():
                self._say(self._next())
        except BaseException as fault:  # noqa: BLE001 - told by who waits for this client
            self.fault = fault
        finally:
            self._rests.set()

    @contextmanager
    def resting(self) -> Iterator[State]:
        """Wait until nothing is under way; in the block nothing is said. Gives what must be."""
        self._may_go_on.clear()
        assert self._rests.wait(2 * _SETTLE_LIMIT_S), f"{self.name} does not come to rest"
        if self.fault is not None:
            raise self.fault
        yield self._known
        self.go_on()

    def go_on(self) -> None:
        """Begin, or go on."""
        self._rests.clear()
        self._may_go_on.set()

    def end(self) -> None:
        """Say nothing any more, and wait until that is so."""
        self._is_over.set()
        self._may_go_on.set()
        self.join(timeout=2 * _SETTLE_LIMIT_S)

    def _goes_on(self) -> bool:
        if not self._may_go_on.is_set():
            self._rests.set()
        self._may_go_on.wait()
        return not self._is_over.is_set()

    def _next(self) -> Verb:
        choice, name = self._random.choice, self._random.choice(self._names)
        if name not in self._known:
            return choice(
                (Create(name), Create(name), Pull(name, choice(("v1", "v2"))), Enable(name))
            )
        owner = choice(("volume/one", "network/two"))
        force = choice((True, False))
        return choice(
            (
                Enable(name),
                Enable(name),
                Enable(name),
                Disable(name, force),
                Disable(name, force),
                Set(name, choice(("x", "y"))),
                Acquire(name, owner),
                Release(name, owner),
                Upgrade(name, choice(("v1", "v2"))),
                Remove(name, force),
                Create(name),
            )
        )

    def _say(self, verb: Verb) -> None:
        after, expected = verb.then(self._known)
        answer = self._answer(verb)
        if answer is not None and _is(answer, expected):
            self._known = after
            self._tally.operation("done" if answer.is_success else "refused")
            return
        self._tally.operation("unanswered" if answer is None else "failed")
        if answer is not None and self._is_impossible(answer):
            self._tally.lost.append(
                f"{verb} was answered {answer.status} {answer.words!r}, expected {expected}; "
                f"known: {self._known.get(verb.name)}"
            )
        self._settle(verb.name, (self._known.get(verb.name), after.get(verb.name)), str(verb))

    def _answer(self, verb: Verb) -> Answer | None:
        try:
            return self._verbs.say(verb)
        except (httpx.HTTPError, ValueError):
            return None  # ValueError: a stream that was cut ends in half a line

    def _is_impossible(self, answer: Answer) -> bool:
        """Tell an answer that no fault explains: a success that must not be, a plugin forgotten."""
        return answer.is_success or answer.status == 404

    def _settle(self, name: str, possible: tuple[Known, Known], said: str) -> None:
        """Wait until the plugin is found, at rest, as one of two; it is that from then on."""
        deadline = time.monotonic() + _SETTLE_LIMIT_S
        found: object = "not seen"
        while time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            try:
                if self._is_at_rest():
                    time.sleep(_LOOK_S)
                    found = self._observed(name) if self._is_at_rest() else "not at rest"
            except (httpx.HTTPError, AssertionError, ValueError):
                continue  # a fault that goes on
            if found in possible:
                self._known = {k: v for k, v in self._known.items() if k != name}
                if isinstance(found, ModelPlugin):
                    self._known = {**self._known, name: found}
                return
        self._tally.lost.append(f"after {said}: {name} is {found}, expected one of {possible}")
        if isinstance(found, ModelPlugin):
            self._known = {**self._known, name: found}
        else:
            self._known = {k: v for k, v in self._known.items() if k != name}

    def _is_at_rest(self) -> bool:
        """Tell whether no command waits or is under way, and no job."""
        health = self._api.get("/wherry/v1/health")
        jobs = self._api.get("/wherry/v1/jobs")["jobs"]
        own = [job for job in jobs if job["name"].removesuffix(":latest") in self._names]
        busy = [job for job in own if job["state"] in ("queued", "running")]
        return not busy and not any(one["lag"] or one["pending"] for one in health["services"])

    def _observed(self, name: str) -> Known | str:
        """Return the plugin as it is at rest, or the state that it passes through."""
        listed = self._api.get("/wherry/v1/plugins")["plugins"]
        shown = next((p for p in listed if p["name"].removesuffix(":latest") == name), None)
        if shown is None:
            return None
        state: str = shown["status"]["state"]
        return state if state in _PASSING else self._verbs.shown(shown)


def _is(answer: Answer, expected: Answer) -> bool:
    return answer.status == expected.status and expected.words in answer.words
