"""Stand-ins for plugins and for time, for tests of calls into plugins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from shared.plugin_rpc.client import ClientLimits, PluginClient
from shared.plugin_rpc.endpoint import Endpoint
from shared.plugin_rpc.wire import Wire

ENDPOINT = Endpoint(name="p:latest", address="unix:///run/x/p.sock")


@dataclass(slots=True)
class FakeTime:
    """A clock that only sleeping moves."""

    now_s: float = 100.0
    slept_s: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s

    async def sleep(self, pause_s: float) -> None:
        """Let the time pass, and others run."""
        self.slept_s.append(pause_s)
        self.now_s += pause_s
        await asyncio.sleep(0)


class FakePlugin(httpx.AsyncBaseTransport):
    """A plugin's side of the wire: *answers* are given in turn, the last one for ever.

    An answer is a JSON value, a response, or an error to raise; None never answers.
    """

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self.is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.requests.append(request)
        self.bodies.append(await request.aread())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, httpx.Response):
            answer = httpx.Response(200, json=answer)
        return httpx.Response(answer.status_code, stream=httpx.ByteStream(answer.content))

    async def aclose(self) -> None:
        """Note it."""
        self.is_closed = True

    @property
    def called(self) -> list[str]:
        """Return the methods that were called."""
        return [request.url.path.lstrip("/") for request in self.requests]


def client(
    plugin: FakePlugin | Callable[[Endpoint], FakePlugin],
    time: FakeTime | None = None,
    *,
    endpoint: Endpoint = ENDPOINT,
    limits: ClientLimits | None = None,
) -> PluginClient:
    """Return a client of a stand-in, or of those that are found at each endpoint."""
    time = time or FakeTime()

    def dial(found: Endpoint) -> Wire:
        return Wire(found, plugin if isinstance(plugin, FakePlugin) else plugin(found))

    return PluginClient(
        endpoint,
        limits=limits,
        dial=dial,
        clock=time,
        sleep=time.sleep,
    )


def refused() -> httpx.ConnectError:
    """Return what a plugin that does not run gives."""
    return httpx.ConnectError("connect: Connection refused")
