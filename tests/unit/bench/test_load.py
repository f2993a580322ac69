from __future__ import annotations

import pytest

from tests.bench import load
from tests.bench.failure import BenchFailed

FINE = """
finished in 2.01s, 6985.00 req/s, 286.49KB/s
requests: 13970 total, 14002 started, 13970 done, 13970 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 13970 2xx, 0 3xx, 0 4xx, 0 5xx
"""


def test_the_rate_is_read() -> None:
    """What h2load prints is read as requests and requests a second."""
    assert load.read(FINE) == load.Load(requests=13970, requests_per_s=6985.0)


@pytest.mark.parametrize(
    "said",
    [
        FINE.replace("13970 2xx, 0 3xx", "13969 2xx, 1 3xx"),
        FINE.replace("0 failed", "3 failed"),
        FINE.replace("13970 succeeded", "0 succeeded"),
        "",
    ],
)
def test_requests_that_were_not_answered_are_no_rate(said: str) -> None:
    """One refused or failed request, or none at all, and there is no figure."""
    with pytest.raises(BenchFailed):
        load.read(said)
