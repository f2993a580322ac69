"""A Redis that lost the end of what it wrote: half of a settling, whichever half it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from shared.bus import names
from shared.bus.ports import Delivery
from tests.support.buses import NODE, Answer, Ask, Buses
from tests.support.redis import RedisServer
from tests.support.wait import eventually

STREAM = names.commands(NODE, "desk")


async def _answer(command: Ask, _arrival: Delivery) -> Answer:
    return Answer(text=command.text)


async def _serve_one(buses: Buses, redis_server: RedisServer) -> None:
    """Have one command handled and settled."""
    owner, gateway = buses.make(), await buses.opened()
    owner.serve({Ask: _answer})
    await owner.open()
    await gateway.send(Ask(text="a"), timeout_s=5)
    await eventually(lambda: redis_server.command("XLEN", STREAM) == "0")
    await eventually(lambda: _pending(redis_server) == "0")
    await owner.close()
    await gateway.close()


def _pending(redis_server: RedisServer) -> str:
    return redis_server.command("XPENDING", STREAM, "desk").split("\n")[0]


def _ends(written: bytes) -> Iterator[int]:
    """Yield where each command of a file of Redis' ends."""
    at = 0
    while at < len(written):
        head = re.compile(rb"\*(\d+)\r\n").match(written, at)
        assert head is not None
        at = head.end()
        for _ in range(int(head[1])):
            size = re.compile(rb"\$(\d+)\r\n").match(written, at)
            assert size is not None
            at = size.end() + int(size[1]) + 2
        yield at


def _settling(written: bytes) -> list[tuple[int, int]]:
    """Return where those commands begin and end that take the entry off its stream and list."""
    ends = list(_ends(written))
    commands = zip([0, *ends], ends, strict=False)
    wanted = re.compile(rb"\r\n(XACK|XDEL)\r\n\$\d+\r\n" + re.escape(STREAM.encode()))
    return [(begin, end) for begin, end in commands if wanted.search(written, begin, end)]


def _appended(redis_server: RedisServer) -> Path:
    (path,) = (redis_server.folder / "appendonlydir").glob("*.incr.aof")
    return path


async def test_half_a_settling_leaves_nothing(buses: Buses, redis_server: RedisServer) -> None:
    """Whether Redis forgot one half of it or both, the command is gone soon after."""
    await _serve_one(buses, redis_server)
    redis_server.kill()
    written = _appended(redis_server).read_bytes()
    (nothing, half), _ = _settling(written)
    for end in (half, nothing):
        _appended(redis_server).write_bytes(written[:end])
        redis_server.start()
        owner = buses.make()
        owner.serve({Ask: _answer})
        await owner.open()

        await eventually(lambda: redis_server.command("XLEN", STREAM) == "0")
        await eventually(lambda: _pending(redis_server) == "0")
        await owner.close()
        redis_server.kill()
    redis_server.start()
