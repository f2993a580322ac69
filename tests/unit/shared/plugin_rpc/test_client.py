"""Calls, over a stand-in for the wire."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from shared import errdefs
from shared.plugin_rpc.answer import RemoteError
from shared.plugin_rpc.breaker import BreakerSettings
from shared.plugin_rpc.client import ClientLimits
from tests.support.plugin_rpc import FakePlugin, FakeTime, client, refused
from tests.support.wait import eventually


async def test_i03_a_call_is_a_post_of_json() -> None:
    """A call posts its arguments to the method's path with Docker's headers."""
    plugin = FakePlugin({"Implements": ["VolumeDriver"]})
    answer = await client(plugin).call("Test.Echo", {"Name": "<v>"}, deadline_s=5)
    assert answer == {"Implements": ["VolumeDriver"]}
    request = plugin.requests[0]
    assert (request.method, str(request.url)) == ("POST", "http://plugin.moby.localhost/Test.Echo")
    assert request.headers["host"] == "plugin.moby.localhost"
    assert request.headers["accept"] == "application/vnd.docker.plugins.v1.2+json"
    assert plugin.bodies == [b'{"Name":"\\u003cv\\u003e"}\n']


async def test_i03_nothing_in_and_nothing_out() -> None:
    """A call without arguments has no body, and an answer without one is empty."""
    plugin = FakePlugin(httpx.Response(200))
    assert await client(plugin).call("Plugin.Activate", deadline_s=5) == {}
    assert plugin.bodies == [b""]


async def test_i01_failed_connection() -> None:
    """Without time for another try, a plugin that can't be reached is an error at once."""
    plugin, time = FakePlugin(refused()), FakeTime()
    with pytest.raises(errdefs.Unavailable) as error:
        await client(plugin, time).call("Service.Method", deadline_s=1)
    assert error.value.message == (
        "Service.Method: plugin p:latest cannot be reached at unix:///run/x/p.sock: "
        "connect: Connection refused"
    )
    assert error.value.docker_unclassed
    assert time.slept_s == []


async def test_i02_retry_after_a_failure() -> None:
    """A plugin that breaks off once is called again, and sees the whole body again."""
    plugin = FakePlugin(httpx.RemoteProtocolError("server disconnected"), {"ok": True})
    time = FakeTime()
    answer = await client(plugin, time).call("Test.FailOnce", {"a": 1}, deadline_s=60)
    assert answer == {"ok": True}
    assert [json.loads(body) for body in plugin.bodies] == [{"a": 1}, {"a": 1}]
    assert time.slept_s == [1.0]


async def test_docker_s_pauses_within_the_deadline() -> None:
    """Tries go on for less than half a minute, or for less than the deadline."""
    for deadline_s, pauses in ((120, [1.0, 2.0, 4.0, 8.0]), (10, [1.0, 2.0, 4.0])):
        time = FakeTime()
        with pytest.raises(errdefs.Unavailable):
            await client(FakePlugin(refused()), time).call("M", deadline_s=deadline_s)
        assert time.slept_s == pauses


async def test_answered_errors_are_not_retried() -> None:
    """A plugin that answers an error has answered."""
    plugin = FakePlugin(httpx.Response(500, json={"Err": "no space"}))
    with pytest.raises(RemoteError, match=r"^VolumeDriver.Create: no space$"):
        await client(plugin).call("VolumeDriver.Create", {}, deadline_s=60)
    assert len(plugin.requests) == 1


async def test_i07_i08_deadline_of_a_call() -> None:
    """A plugin that does not answer is given up at the call's deadline, by an error of its own."""
    with pytest.raises(errdefs.DeadlineExceeded) as error:
        await client(FakePlugin(None)).call("Plugin.Hello", deadline_s=0.01)
    assert error.value.message == (
        "Plugin.Hello: plugin p:latest did not answer within 0.01 s; look at its output"
    )


async def test_the_breaker_refuses_at_once() -> None:
    """After failures in a row calls are refused without being sent, then one tries."""
    plugin, time = FakePlugin(refused()), FakeTime()
    limits = ClientLimits(breaker=BreakerSettings(threshold=2, pause_s=5))
    caller = client(plugin, time, limits=limits)
    for _ in range(2):
        with pytest.raises(errdefs.Unavailable):
            await caller.call("M", deadline_s=1)
    with pytest.raises(errdefs.Unavailable, match=r"did not answer 2 calls in a row.*in 5\.0 s"):
        await caller.call("M", deadline_s=1)
    assert len(plugin.requests) == 2
    assert caller.retry_in_s == 5.0
    time.now_s += 5
    plugin.answers = [{}]
    assert await caller.call("M", deadline_s=1) == {}
    assert caller.retry_in_s is None


async def test_a_hung_plugin_holds_a_few_calls() -> None:
    """Calls beyond the cap wait, and say at their deadline why they were never sent."""
    plugin = FakePlugin(None)
    caller = client(plugin, limits=ClientLimits(calls=2))
    held = [asyncio.create_task(caller.call("M", deadline_s=60)) for _ in range(2)]
    await eventually(lambda: len(plugin.requests) == 2)
    with pytest.raises(errdefs.DeadlineExceeded, match="has 2 calls under way and none ended"):
        await caller.call("M", deadline_s=0.01)
    assert len(plugin.requests) == 2
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)


async def test_waiting_calls_are_refused_once_it_is_known_to_hang() -> None:
    """When the calls before have failed, those that waited for them fail at once."""
    plugin = FakePlugin(None)
    limits = ClientLimits(calls=1, breaker=BreakerSettings(threshold=1))
    caller = client(plugin, limits=limits)
    first = asyncio.create_task(caller.call("M", deadline_s=0.05))
    await eventually(lambda: len(plugin.requests) == 1)
    waiting = asyncio.create_task(caller.call("M", deadline_s=60))
    with pytest.raises(errdefs.DeadlineExceeded):
        await first
    with pytest.raises(errdefs.Unavailable, match="did not answer 1 calls in a row"):
        await waiting


async def test_an_endless_answer_is_cut_off() -> None:
    """An answer beyond the limit is an error, not memory."""
    plugin = FakePlugin(httpx.Response(200, content=b"x" * 101))
    with pytest.raises(RemoteError, match="M: the answer has more than 100 bytes"):
        await client(plugin, limits=ClientLimits(answer_bytes=100)).call("M", deadline_s=5)


async def test_closing_waits_for_calls_under_way() -> None:
    """A client that is closed lets its calls end."""
    release = asyncio.Event()

    class Slow(FakePlugin):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            await release.wait()
            assert not self.is_closed
            return answer

    plugin = Slow({"ok": True})
    caller = client(plugin)
    call = asyncio.create_task(caller.call("M", deadline_s=60))
    await eventually(lambda: plugin.requests)
    closing = asyncio.create_task(caller.close())
    await asyncio.sleep(0)
    release.set()
    assert await call == {"ok": True}
    await closing
    assert plugin.is_closed
