"""Random bad luck of jobs, for Hypothesis: faults of a registry, and what befalls workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import environ
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.support.fault_schedule import LAYERS, MOST_LAYERS, Event
from tests.support.registry_faults import (
    BREAKS,
    CHALLENGES,
    HEADERS,
    LIES,
    LOCATIONS,
    OUTRAGES,
    STATUSES,
    WAITS,
    Fault,
)

#: How many schedules are tried; a few, always the same, where it is not set.
_EXAMPLES: Final = int(environ.get("WHERRY_EXAMPLES", "0"))
_MOST_STEPS: Final = 25
_AT = st.sampled_from((0.0, 0.1, 0.5, 0.9, 1.0))


def _with_header(kind: str, headers: Sequence[str]) -> st.SearchStrategy[Fault]:
    header = st.sampled_from(headers)
    return st.builds(Fault, st.just(kind), st.just(0.0), st.just(0), header)


_REFUSALS = st.builds(
    Fault, st.just("status"), st.just(0.0), st.sampled_from(STATUSES), st.sampled_from(WAITS)
)
_NONSENSE = st.one_of(
    _with_header("challenge", CHALLENGES),
    _with_header("redirect", LOCATIONS),
    _with_header("garbage headers", HEADERS),
)
#: What can be mended comes as often as what can't, and each lie often.
FAULTS: Final = st.one_of(
    st.builds(Fault, st.sampled_from(BREAKS), _AT),
    st.builds(Fault, st.sampled_from(LIES), _AT),
    st.builds(Fault, st.sampled_from(OUTRAGES), _AT),
    _REFUSALS,
    _NONSENSE,
)
#: The layers of a plugin.
PLUGINS: Final = st.lists(st.integers(0, LAYERS - 1), min_size=1, max_size=MOST_LAYERS).map(tuple)
EVENTS: Final = st.lists(
    st.builds(
        Event, st.sampled_from(("cancel", "stop", "late", "lost")), st.integers(1, _MOST_STEPS)
    ),
    max_size=2,
).map(tuple)


def examples(usually: int) -> Callable[[Any], Any]:
    """Try *usually* schedules, or as many as WHERRY_EXAMPLES says, for as long as that takes."""
    count = _EXAMPLES or usually
    chosen = settings(
        max_examples=count,
        derandomize=not _EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Threads and sockets never run twice alike, so a smaller schedule that fails proves little.
        phases=(Phase.explicit, Phase.generate),
        print_blob=False,
    )
    return lambda test: pytest.mark.timeout(120 + 2 * count)(chosen(test))
