"""Jobs over a real Redis to real Celery workers."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from shared import errdefs
from shared.jobs.queue import JobQueue
from tests.support.celery_worker import NODE, Workers
from tests.support.redis import RedisServer
from tests.support.wait import eventually

VISIBILITY_S = 3


@pytest.fixture
def workers(redis_server: RedisServer) -> Iterator[Workers]:
    with Workers(redis_server.url, VISIBILITY_S) as made:
        yield made


@pytest.fixture
async def queue(redis_server: RedisServer) -> AsyncIterator[JobQueue]:
    made = JobQueue(redis_url=redis_server.url, node=NODE)
    yield made
    await made.close()


def _keys(redis: RedisServer, database: int) -> list[str]:
    return redis.command("-n", str(database), "KEYS", "*").split()


async def test_a_job_runs_in_the_trace_that_queued_it(
    redis_server: RedisServer, workers: Workers, queue: JobQueue
) -> None:
    """The worker gets both; no message is left in Redis, and none ever lay beside the bus's."""
    span = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(span)):
        await queue.enqueue("j1")
    assert all(key.startswith(f"wherry:{NODE}:celery:") for key in _keys(redis_server, 1))
    assert _keys(redis_server, 0) == []
    workers.let_go("j1")
    workers.start()

    await eventually(lambda: workers.said("ended", "j1"), limit_s=20)
    ((_, _, _, traceparent),) = workers.said("began", "j1")
    assert traceparent.split("-")[1] == f"{0xABC:032x}"

    def is_settled() -> bool:
        keys = {key.removeprefix(f"wherry:{NODE}:celery:") for key in _keys(redis_server, 1)}
        return not {key for key in keys if not key.startswith("_kombu.binding")}

    await eventually(is_settled)


async def test_a_person_goes_before_a_batch(workers: Workers, queue: JobQueue) -> None:
    """What was queued later overtakes, where somebody waits for it."""
    for number in range(4):
        await queue.enqueue(f"batch{number}", is_patient=True)
    await queue.enqueue("person")
    for job_id in ("person", *(f"batch{number}" for number in range(4))):
        workers.let_go(job_id)
    workers.start()

    await eventually(lambda: len(workers.said("ended")) == 5, limit_s=20)
    assert "person" in [line[1] for line in workers.said("began")][:2]


async def test_a_job_that_outlives_the_visibility_timeout_runs_once(
    redis_server: RedisServer, workers: Workers, queue: JobQueue
) -> None:
    """A living worker keeps its messages: two workers, and only one ever has the job."""
    workers.start()
    workers.start()
    await queue.enqueue("long")
    await eventually(lambda: workers.said("began"), limit_s=20)
    renewed_at: set[float] = set()

    def is_renewed_often() -> bool:
        scores = redis_server.command(
            *("-n", "1", "ZRANGE", f"wherry:{NODE}:celery:unacked_index", "0", "-1", "WITHSCORES")
        )
        renewed_at.add(float(scores.split()[1]))
        assert time.time() - max(renewed_at) < VISIBILITY_S
        return max(renewed_at) - min(renewed_at) > 2 * VISIBILITY_S

    await eventually(is_renewed_often, limit_s=6 * VISIBILITY_S)
    workers.let_go("long")
    await eventually(lambda: workers.said("ended"))
    assert len(workers.said("began")) == 1


async def test_a_killed_workers_job_is_run_by_another_once(
    workers: Workers, queue: JobQueue
) -> None:
    """Killed by -9 in the middle: the message comes back after the timeout and a sweep."""
    first = workers.start()
    await queue.enqueue("j1")
    await eventually(lambda: workers.said("began"), limit_s=20)
    first.kill()
    first.wait()
    workers.start()

    await eventually(lambda: len(workers.said("began")) == 2, limit_s=VISIBILITY_S + 20)
    workers.let_go("j1")
    await eventually(lambda: workers.said("ended"))
    (ended,) = workers.said("ended")
    assert int(ended[2]) != first.pid


async def test_a_worker_that_is_told_to_stop_hands_its_jobs_back(
    workers: Workers, queue: JobQueue
) -> None:
    """SIGTERM: it ends soon with status 0, and the next worker has the job at once."""
    first = workers.start()
    await queue.enqueue("j1")
    await eventually(lambda: workers.said("began"), limit_s=20)
    first.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(first.wait) == 0
    workers.start()
    await eventually(lambda: len(workers.said("began")) == 2, limit_s=20)
    assert workers.said("ended") == []


async def test_a_worker_is_told_to_stop_while_redis_is_gone(
    redis_server: RedisServer, workers: Workers
) -> None:
    """It ends all the same."""
    redis_server.kill()
    redis_server.socket_path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(redis_server.socket_path))
        gone.listen()
        gone.settimeout(20)
        worker = workers.start()
        looking, _ = await asyncio.to_thread(gone.accept)
        looking.close()
    worker.send_signal(signal.SIGTERM)
    async with asyncio.timeout(12):
        assert await asyncio.to_thread(worker.wait) == 0


async def test_jobs_go_on_after_redis_was_emptied(
    redis_server: RedisServer, workers: Workers, queue: JobQueue
) -> None:
    """FLUSHALL loses what was queued; what is queued afterwards runs."""
    workers.start()
    await queue.enqueue("j1")
    await eventually(lambda: workers.said("began", "j1"), limit_s=20)
    redis_server.flushall()
    workers.let_go("j1")
    await eventually(lambda: workers.said("ended", "j1"))
    workers.let_go("j2")
    await queue.enqueue("j2")
    await eventually(lambda: workers.said("ended", "j2"), limit_s=20)


async def test_jobs_go_on_after_redis_was_started_anew(
    redis_server: RedisServer, workers: Workers, queue: JobQueue
) -> None:
    """Both ends connect again by themselves, the worker within seconds."""
    workers.start()
    await queue.enqueue("j1")
    await eventually(lambda: workers.said("began", "j1"), limit_s=20)
    redis_server.kill()
    with pytest.raises(errdefs.Unavailable, match="try again"):
        await queue.enqueue("lost")
    redis_server.start()
    workers.let_go("j2")
    await queue.enqueue("j2")
    await eventually(lambda: workers.said("ended", "j2"), limit_s=15)
    workers.let_go("j1")
    await eventually(lambda: workers.said("ended", "j1"))
