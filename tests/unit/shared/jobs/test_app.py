"""Celery's settings on a node."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.jobs.app import broker_url, make_app
from shared.jobs.names import queue_name


@pytest.mark.parametrize(
    ("redis_url", "expected"),
    [
        ("unix:///run/wherry/redis.sock", "redis+socket:///run/wherry/redis.sock?virtual_host=1"),
        ("unix:///r.sock?db=2", "redis+socket:///r.sock?virtual_host=3"),
        ("redis://h:6379", "redis://h:6379/1"),
        ("redis://:pw@h:6379/4", "redis://:pw@h:6379/5"),
        ("rediss://h", "rediss://h/1?ssl_cert_reqs=required"),
    ],
)
def test_jobs_lie_in_the_database_after_the_buss(redis_url: str, expected: str) -> None:
    """One Redis serves both, and neither sees the other's keys."""
    assert broker_url(redis_url) == expected


@pytest.mark.parametrize("url", ["sentinel://h", "amqp://h", "h:6379"])
def test_what_is_no_redis_is_refused_by_name(url: str) -> None:
    """The variable to change is in the text."""
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_REDIS_URL"):
        broker_url(url)


def test_each_node_has_its_own_queue_and_keys() -> None:
    """A hundred nodes may share one Redis."""
    app = make_app(redis_url="redis://h", node="n7")
    assert app.conf.task_default_queue == queue_name("n7") == "node.n7.pull"
    options = app.conf.broker_transport_options
    assert options["global_keyprefix"] == "wherry:n7:celery:"


def test_settings_that_keep_jobs_alive() -> None:
    """A message is settled after its job, and comes back soon when its worker dies."""
    conf = make_app(redis_url="redis://h", node="n").conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_ignore_result
    assert conf.accept_content == ["json"]
    assert conf.broker_connection_max_retries is None
    options = conf.broker_transport_options
    assert options["visibility_timeout"] == 60
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 5
    assert options["priority_steps"] == [0, 3, 6, 9]
