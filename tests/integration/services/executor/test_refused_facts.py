"""What an executor's facts come to while Redis is there and refuses to be written to."""

from __future__ import annotations

from structlog.testing import capture_logs

from services.executor.domain.record import Record
from services.executor.service.watch import Watch
from shared.bus import names
from tests.support.buses import NODE, Buses
from tests.support.host import FakeHost
from tests.support.redis import RedisServer
from tests.support.wait import eventually

_STREAM = names.changes(NODE, "executor")


async def test_an_exit_that_redis_refused_is_told_once_it_takes_it(
    redis_server: RedisServer,
) -> None:
    """No connection broke, and still who owns the container hears of its end."""
    host = FakeHost()
    init, conmon = host.processes.begin(1), host.processes.begin(2)
    async with Buses(redis_server.url) as buses:
        watch = Watch(host.host(), await buses.opened("executor"))
        record = Record(container_id="c-1", socket_dir="/s", init=init, conmon=conmon)
        watch.hold(record, committed=True)
        # As with a disk that is too full to append to.
        redis_server.command("CONFIG", "SET", "min-replicas-to-write", "1")

        with capture_logs() as lines:
            host.processes.end(2)
            host.processes.end(1)
            await eventually(lambda: "not published yet" in {line["event"] for line in lines})
        assert redis_server.command("XLEN", _STREAM) == "0"
        redis_server.command("CONFIG", "SET", "min-replicas-to-write", "0")

        await eventually(lambda: redis_server.command("XLEN", _STREAM) == "2")
        told = redis_server.command("XRANGE", _STREAM, "-", "+")
        await watch.close()

    assert "executor.container.exited.v1" in told
    assert "executor.node.started.v1" in told
