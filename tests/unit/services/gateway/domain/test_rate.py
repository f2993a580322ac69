"""How many requests somebody may send."""

from __future__ import annotations

from services.gateway.domain.rate import RateLimit


def test_a_burst_then_so_many_a_second() -> None:
    """As many as fit at once pass, then as many as come in."""
    limit = RateLimit(per_second=2, burst=3)

    assert [limit.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 1]
    assert limit.take("a", 0.5) == 0
    assert limit.take("a", 0.5) == 1


def test_one_client_does_not_use_up_the_others() -> None:
    """Each has its own."""
    limit = RateLimit(per_second=1, burst=1)

    assert limit.take("a", 0.0) == 0
    assert limit.take("a", 0.0) == 1
    assert limit.take("b", 0.0) == 0


def test_the_wait_is_as_long_as_it_takes() -> None:
    """A slow limit says so in whole seconds."""
    limit = RateLimit(per_second=0.1, burst=1)
    limit.take("a", 0.0)

    assert limit.wait_s("a", 0.0) == 10
    assert limit.wait_s("a", 10.0) == 0
    assert limit.take("a", 10.0) == 0


def test_only_so_many_clients_are_remembered() -> None:
    """Addresses that never come back do not fill the memory."""
    limit = RateLimit(per_second=1, burst=1)

    for number in range(10_000):
        limit.take(str(number), 0.0)

    assert len(limit._buckets) <= 4096
