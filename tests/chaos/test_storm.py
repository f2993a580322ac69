"""Many clients and all faults, in an order that a seed gives: nothing lost, nothing twice.

WHERRY_CHAOS_S says for how many seconds, WHERRY_SEED which storm; a minute, always the same,
where neither is set. `make chaos-long` does it for an hour.
"""

from __future__ import annotations

import gc
import os
import sys

import pytest

from tests.support.plugin_context import Contexts
from tests.support.storm.storm import Storm, weather

_SECONDS = float(os.environ.get("WHERRY_CHAOS_S", "60"))
_SEED = int(os.environ.get("WHERRY_SEED", "1"))


# httpx leaves a socket open when it cannot connect, or when its connection is reset.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(_SECONDS * 4 + 600)
def test_nothing_is_lost_doubled_or_left(
    contexts: Contexts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever befalls a node under load, each promise holds whenever it comes to rest."""
    with weather(contexts) as stage:
        storm = Storm(stage, seed=_SEED)
        try:
            storm.rage(_SECONDS)
        finally:
            tally = stage.tally
            with capsys.disabled():
                sys.stdout.write(f"\n{tally.closing_line()}; again: WHERRY_SEED={_SEED}\n")
        assert not tally.broken, "\n".join(tally.broken)
        stage.end()
        assert not tally.broken, "\n".join(tally.broken)
    gc.collect()  # such sockets now, and not in a test that knows nothing of them
