"""The life of two plugins, again and again at a constant rate: each answer as it must be."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from tests.support.plugin_model import (
    Acquire,
    Create,
    Disable,
    Enable,
    Pull,
    Release,
    Remove,
    Set,
    State,
    Upgrade,
    Verb,
)
from tests.support.plugin_verbs import PluginVerbs

#: After it the node is as it was before.
_LIFE: Final[tuple[Verb, ...]] = (
    Create("made"),
    Set("made", "x"),
    Enable("made"),
    Acquire("made", "volume/one"),
    Disable("made", force=False),  # refused, for it is held
    Release("made", "volume/one"),
    Pull("pulled", "v1"),
    Enable("pulled"),
    Enable("made"),  # refused, for it is enabled
    Disable("pulled", force=False),
    Upgrade("pulled", "v2"),
    Enable("pulled"),
    Disable("made", force=False),
    Remove("made", force=False),
    Remove("pulled", force=True),
    Remove("pulled", force=True),  # refused, for it is gone
)
_READS: Final = ("/plugins", "/wherry/v1/plugins", "/wherry/v1/health", "/wherry/v1/jobs")


@dataclass(slots=True, kw_only=True)
class Load:
    """Says verbs, so many a second, each over a connection of its own, with a read beside it."""

    verbs: PluginVerbs
    per_second: float
    operations: int = 0
    #: Seconds by which it is late at most.
    late_s: float = 0.0
    _due: float | None = None

    def begin(self) -> None:
        """Go by the clock from now on, and count; before, verbs follow one upon the other."""
        self.operations, self._due = 0, time.monotonic()

    def live(self) -> None:
        """Say all verbs of a life."""
        state: State = {}
        for verb in _LIFE:
            self._wait()
            state, expected = verb.then(state)
            answer = self.verbs.say(verb)
            assert answer.status == expected.status, (verb, answer)
            assert expected.words in answer.words, (verb, answer)
            self.verbs.node.get(_READS[self.operations % len(_READS)])
            self.operations += 1

    def _wait(self) -> None:
        if self._due is None:
            return
        now = time.monotonic()
        self.late_s = max(self.late_s, now - self._due)
        time.sleep(max(0.0, self._due - now))
        # What it is late it makes up for, but no more than a little: the rate shall be constant.
        self._due = max(self._due + 1 / self.per_second, now - 1.0)
