"""The client of one plugin."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog

from shared import errdefs
from shared.oci import go_json
from shared.plugin_rpc import backoff, tracing
from shared.plugin_rpc.breaker import Breaker, BreakerOpen, BreakerSettings
from shared.plugin_rpc.endpoint import Endpoint
from shared.plugin_rpc.wire import Wire

#: Says where a plugin is now; raises errdefs when it is nowhere.
Locate = Callable[[], Endpoint]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """How much of the engine one plugin may hold."""

    #: Calls under way at once; others wait within their deadline.
    calls: int = 16
    #: Bytes of an answer.
    answer_bytes: int = 32 * 2**20
    breaker: BreakerSettings = field(default_factory=BreakerSettings)


class PluginClient:
    """Calls a plugin's methods; may be shared by all tasks of one loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        limits: ClientLimits | None = None,
        dial: Callable[[Endpoint], Wire] = Wire,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take where the plugin is; raises InvalidArgument when its TLS files can't be read."""
        self._limits = limits or ClientLimits()
        self._dial = dial
        self._wire = dial(endpoint)
        #: Asked before a call is sent again.
        self.locate: Locate | None = None
        self._breaker = Breaker(self._limits.breaker, clock)
        self._slots = asyncio.Semaphore(self._limits.calls)
        self._clock = clock
        self._sleep = sleep
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> Endpoint:
        """Return where the plugin is called."""
        return self._wire.endpoint

    @property
    def retry_in_s(self) -> float | None:
        """Return how long calls are refused after failures in a row; None when they are not."""
        return self._breaker.retry_in_s

    async def call(
        self, method: str, args: Mapping[str, Any] | None = None, *, deadline_s: float
    ) -> dict[str, Any]:
        """Call `Service.Method` and return its answer, whose keys may be asked for in any case.

        Without *args* the body is empty. An `Err` in an answer of status 200 is the caller's to
        look at. A call that did not reach the plugin, or whose answer got lost, is sent again
        within the deadline, so the plugin may see it twice. Raises RemoteError for what the
        plugin answered, Unavailable when it can't be reached or has failed too often just now,
        DeadlineExceeded when it does not answer.
        """
        body = b"" if args is None else go_json.encode(dict(args)) + b"\n"
        began = self._clock()
        with tracing.calling(self.endpoint.name, method):
            await self._take_slot(method, deadline_s)
            try:
                left_s = deadline_s - (self._clock() - began)
                return await self._judged(method, body, left_s, deadline_s)
            finally:
                self._slots.release()

    def move(self, endpoint: Endpoint) -> None:
        """Call the plugin elsewhere from now on: another process, of which nothing is known.

        Calls under way end where they are; those that fail to reach it are sent again there.
        """
        moved = self._dial(endpoint)
        self._close_later(self._wire)
        self._wire = moved
        self._breaker.reset()

    async def close(self) -> None:
        """Close the connections once the calls under way have ended."""
        self._close_later(self._wire)
        await asyncio.gather(*self._closing)

    def _close_later(self, wire: Wire) -> None:
        task = asyncio.create_task(wire.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _take_slot(self, method: str, deadline_s: float) -> None:
        try:
            self._breaker.check()
            async with asyncio.timeout(deadline_s):
                await self._slots.acquire()
        except BreakerOpen as error:
            raise self._refusal(method, error) from error
        except TimeoutError as error:
            raise errdefs.DeadlineExceeded(
                f"{method}: plugin {self.endpoint.name} has {self._limits.calls} calls under way "
                f"and none ended within {deadline_s:g} s: it hangs or is slow; look at its output",
                docker_unclassed=True,
            ) from error

    async def _judged(
        self, method: str, body: bytes, left_s: float, deadline_s: float
    ) -> dict[str, Any]:
        try:
            with self._breaker.call():
                return await self._within(method, body, left_s, deadline_s)
        except BreakerOpen as error:
            raise self._refusal(method, error) from error

    def _refusal(self, method: str, error: BreakerOpen) -> errdefs.Unavailable:
        return errdefs.Unavailable(
            f"{method}: plugin {self.endpoint.name} did not answer {error.failures} calls in a "
            f"row and is left alone; it is tried again in {error.retry_in_s:.1f} s",
            detail={"plugin": self.endpoint.name, "retry_in_s": error.retry_in_s},
            docker_unclassed=True,
        )

    async def _within(
        self, method: str, body: bytes, left_s: float, deadline_s: float
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(left_s):
                return await self._try(method, body, left_s)
        except TimeoutError as error:
            raise errdefs.DeadlineExceeded(
                f"{method}: plugin {self.endpoint.name} did not answer within {deadline_s:g} s; "
                "look at its output",
                docker_unclassed=True,
            ) from error

    async def _try(self, method: str, body: bytes, limit_s: float) -> dict[str, Any]:
        began = self._clock()
        patience_s = min(limit_s, backoff.PATIENCE_S)
        for retries in itertools.count():
            if retries:
                self._follow()
            try:
                return await self._wire.exchange(method, body, self._limits.answer_bytes)
            except httpx.TransportError as error:
                pause_s = backoff.pause_s(retries)
                if backoff.gives_up(self._clock() - began, pause_s, patience_s):
                    raise self._unreachable(method, error) from error
                log.warning(
                    "plugin not reached, trying again",
                    plugin=self.endpoint.name,
                    method=method,
                    error=str(error),
                    pause_s=pause_s,
                )
                await self._sleep(pause_s)
        raise AssertionError("unreachable")  # itertools.count has no end

    def _unreachable(self, method: str, error: httpx.TransportError) -> errdefs.Unavailable:
        return errdefs.Unavailable(
            f"{method}: plugin {self.endpoint.name} cannot be reached at {self.endpoint.address}: "
            f"{str(error) or type(error).__name__}",
            detail={"plugin": self.endpoint.name},
            docker_unclassed=True,
        )

    def _follow(self) -> None:
        if self.locate is None:
            return
        try:
            found = self.locate()
        except errdefs.Error as error:
            log.info("plugin is nowhere now", plugin=self.endpoint.name, error=error.message)
            return
        if found != self.endpoint:
            self.move(found)
