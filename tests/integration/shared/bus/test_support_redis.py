"""The private redis-server of the tests."""

from __future__ import annotations

from tests.support.redis import RedisServer


def test_data_outlives_a_kill_and_a_restart(redis_server: RedisServer) -> None:
    """What was appended is there again after the server was killed and restarted."""
    redis_server.command("SET", "a", "1")
    redis_server.kill()
    redis_server.start()
    redis_server.restart()

    assert redis_server.command("GET", "a") == "1"


def test_nothing_is_left_behind() -> None:
    """The server's folder is gone when the context ends, even if the server was frozen."""
    with RedisServer() as server:
        server.pause()

    assert not server.folder.exists()
